import Crypto
import Foundation
import Messages
import Testing

@testable import Ledger

@Suite("Staged imports: refusals")
struct StagedRefusalTests {
    private let fixture: StagedFixture

    init() throws {
        fixture = try StagedFixture()
        let items = [StagedItem(token: "blue", title: "Blue"), StagedItem(token: "red", title: "Red")]
        let rows = [
            StagedFixture.row("ada", "blue", timestamp: 5, rating: 3.7), StagedFixture.row("bob", "red"),
            StagedFixture.row("ada", "red", timestamp: 4),
        ]
        try fixture.write([
            StagedFixture.batch(rows, items: items, refused: ["green"]),
            StagedFixture.batch(Array(rows.dropFirst()), items: items, refused: ["black"]),
        ])
    }

    @Test("Any changed byte is refused")
    func changed() throws {
        let bytes = try Data(contentsOf: fixture.file(0))
        #expect(fixture.refusal() == nil)
        for offset in bytes.indices {
            for change in [UInt8(1), 0x80, 0xff] {
                var damaged = bytes
                damaged[offset] ^= change
                try damaged.write(to: fixture.file(0))
                #expect(fixture.isCorrupt(), "\(offset), \(change)")
            }
        }
    }

    @Test("A file that was cut or goes on is refused")
    func cut() throws {
        let bytes = try Data(contentsOf: fixture.file(0))
        for size in 0..<bytes.count {
            try bytes.prefix(size).write(to: fixture.file(0))
            #expect(fixture.isCorrupt(), "\(size)")
            try bytes.suffix(size).write(to: fixture.file(0))
            #expect(fixture.isCorrupt(), "the last \(size)")
        }
        try (bytes + [0]).write(to: fixture.file(0))
        #expect(fixture.isCorrupt())
        try (bytes + bytes).write(to: fixture.file(0))
        #expect(fixture.isCorrupt())
    }

    @Test("A missing file is refused, whatever is asked for")
    func missing() throws {
        let (id, key) = (StagedFixture.importID, fixture.key)
        #expect(fixture.isCorrupt(2))
        #expect(fixture.isCorrupt(importID: "another"))
        #expect(throws: LedgerError.self) { try fixture.people([0, 1, 2]) }
        #expect(throws: LedgerError.self) { try fixture.items([2]) }
        #expect(throws: LedgerError.self) { try fixture.imports.people(importID: id, batches: [2], key: key) }
        #expect(throws: LedgerError.self) {
            try fixture.imports.rows(of: StagedFixture.lookup("ada"), importID: id, batches: [2], key: key)
        }
        #expect(throws: LedgerError.self) { try fixture.imports.refusedItems(importID: id, batches: [2], key: key) }
    }

    @Test("Another key opens nothing")
    func wrongKey() {
        #expect(fixture.isCorrupt(key: SymmetricKey(size: .bits256)))
    }

    @Test("A file in the place of another batch, or of another import's with the same key, is refused")
    func swapped() throws {
        try fixture.write([StagedFixture.batch([])], importID: "another")
        let files = [fixture.file(0), fixture.file(1), fixture.file(0, importID: "another")]
        let bytes = try files.map { try Data(contentsOf: $0) }
        for (index, file) in files.enumerated() { try bytes[(index + 1) % 3].write(to: file) }
        #expect(fixture.isCorrupt(0) && fixture.isCorrupt(1) && fixture.isCorrupt(importID: "another"))
        for (index, file) in files.enumerated() { try bytes[index].write(to: file) }
        #expect(fixture.refusal(0) == nil && fixture.refusal(1) == nil && fixture.refusal(importID: "another") == nil)
    }

    @Test("Pieces that changed places within a file, or came from an older one of the same batch, are refused")
    func pieces() throws {
        let names = (0..<2048).map { "refused \($0 + 1000)" }
        try fixture.write([StagedFixture.batch([], refused: names)])
        let bytes = try Data(contentsOf: fixture.file(0))
        let length = 1024 * (1 + names[0].utf8.count) + 28
        try (bytes[length..<2 * length] + bytes[..<length] + bytes[(2 * length)...]).write(to: fixture.file(0))
        #expect(fixture.isCorrupt())
        try fixture.write([StagedFixture.batch([], refused: names)])
        let newer = try Data(contentsOf: fixture.file(0))
        #expect(newer.count == bytes.count && fixture.refusal() == nil)
        try (bytes[..<length] + newer[length...]).write(to: fixture.file(0))
        #expect(fixture.isCorrupt())
        try bytes.write(to: fixture.file(0))
        #expect(fixture.refusal() == nil)
    }

    @Test("What cannot be written or read is said to be the system's fault")
    func system() throws {
        try FileManager.default.createDirectory(at: fixture.file(7), withIntermediateDirectories: false)
        for error in [
            fixture.refusal(7), #expect(throws: LedgerError.self) { try writeSeventh() },
        ] {
            guard case .storage = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        #expect(try fixture.names.allSatisfy { $0.hasSuffix(StagedPlace.suffix) })
    }

    private func writeSeventh() throws {
        try fixture.imports.write(
            StagedFixture.batch([]), importID: StagedFixture.importID, sequence: 7, key: fixture.key)
    }
}
