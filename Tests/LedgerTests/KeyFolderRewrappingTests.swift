import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Key folder: another master key")
struct KeyFolderRewrappingTests {
    private struct Killed: Error {}

    private let directory: TestDirectory
    private let old = SymmetricKey(size: .bits256)
    private let new = SymmetricKey(size: .bits256)

    init() throws { directory = try TestDirectory() }

    private func open(_ master: SymmetricKey?, isNew: Bool = false) throws -> KeyFolder {
        try KeyFolder(folder: directory.file("keys"), cluster: "c", isNew: isNew, master: master)
    }

    private func made(_ master: SymmetricKey?) throws -> [(KeyReference, SymmetricKey)] {
        let keys = try open(master, isNew: true)
        defer { keys.close() }
        let made = try keys.make(6000)
        try keys.destroy(made.prefix(100).map(\.0))
        return Array(made.dropFirst(100))
    }

    private func files(_ name: String = "keys") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.file(name).path).sorted()
    }

    @Test(
        "Every key is there under the new one, none under the old, and no byte of the old file is left",
        arguments: [false, true])
    func rewraps(isClear: Bool) throws {
        let before = isClear ? nil : old
        let made = try made(before)
        let bytes = try Data(contentsOf: directory.file("keys/slots"))
        #expect(try KeyFolder.rewrap(folder: directory.file("keys"), from: before, to: new) == made.count)
        #expect(try files() == ["lock", "slots"])
        #expect(throws: LedgerError.self) { try open(before) }
        let keys = try open(new)
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        #expect(try keys.used == made.count && keys.damagedSlots() == [])
        let after = try Data(contentsOf: directory.file("keys/slots"))
        for (reference, key) in made.prefix(50) {
            let payload = 20_480 + 64 * Int(reference.slot) + 8
            #expect(after[payload..<payload + 48] != bytes[payload..<payload + 48])
            #expect(after.range(of: Data(key.rawBytes)) == nil)
        }
        // And it goes on.
        let more = try keys.make(3)
        for (reference, key) in more { #expect(try keys.key(reference) == key) }
    }

    @Test(
        "Killed at any step, it opens with exactly one of the two, and the other file is noise and gone",
        arguments: KeyFolder.ExchangeStep.allCases, [false, true])
    func killed(step: KeyFolder.ExchangeStep, isClear: Bool) throws {
        let before = isClear ? nil : old
        let made = try made(before)
        #expect(throws: Killed.self) {
            try KeyFolder.rewrap(folder: directory.file("keys"), from: before, to: new) { now in
                guard now == step else { return }
                throw Killed()
            }
        }
        let opened = [before, new].filter { (try? open($0)) != nil }
        #expect(opened.count == 1)
        #expect(opened == [[.written, .kept].contains(step) ? before : new])
        #expect(try files() == ["lock", "slots"])
        let keys = try open(opened[0])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        keys.close()
        // Done again, it is done.
        if opened[0] == before {
            #expect(try KeyFolder.rewrap(folder: directory.file("keys"), from: before, to: new) == made.count)
        }
        #expect(try open(new).used == made.count)
    }

    @Test(
        "It is refused while the folder is in use, with another key, and where a slot is damaged; then nothing changed")
    func refused() throws {
        let made = try made(old)
        let folder = directory.file("keys")
        let inUse = try open(old)
        #expect(throws: LedgerError.self) { try KeyFolder.rewrap(folder: folder, from: old, to: new) }
        inUse.close()
        #expect(throws: LedgerError.self) { try KeyFolder.rewrap(folder: folder, from: new, to: old) }
        #expect(throws: LedgerError.self) { try KeyFolder.rewrap(folder: folder, from: nil, to: new) }
        #expect(throws: LedgerError.self) {
            try KeyFolder.rewrap(folder: directory.file("nowhere"), from: old, to: new)
        }
        var bytes = try Data(contentsOf: directory.file("keys/slots"))
        bytes[20_480 + 64 * Int(made[7].0.slot) + 20] ^= 1
        try bytes.write(to: directory.file("keys/slots"))
        #expect(throws: LedgerError.self) { try KeyFolder.rewrap(folder: folder, from: old, to: new) }
        #expect(try files() == ["lock", "slots"])
        #expect(try Data(contentsOf: directory.file("keys/slots")) == bytes)
    }
}
