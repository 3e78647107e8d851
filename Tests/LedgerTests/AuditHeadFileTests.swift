import ClusterTestSupport
import Foundation
import Testing

@testable import Ledger

@Suite("audit.head is written in place")
struct AuditHeadFileTests {
    private func places(_ file: URL) throws -> [String] {
        let bytes = try Data(contentsOf: file)
        try #require(bytes.count == 2 * AuditHeadPlaces.size)
        return [bytes.prefix(AuditHeadPlaces.size), bytes.suffix(AuditHeadPlaces.size)].map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    private func read(_ file: URL, _ ledger: Ledger) throws -> Int? {
        guard case .head(let head) = try AuditHeadFile(file, cluster: ledger.cluster, publicKey: ledger.publicKey)
        else {
            return nil
        }
        return head.sequence
    }

    @Test("In two places in turn; no older head stays beside the new one")
    func inTurn() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let file = fixture.directory.appendingPathComponent(AuditHeadFile.name)
        var filled: [Int] = []
        for user in 1...4 {
            _ = try ledger.forget(requestID: "f\(user)", LedgerFixture.forget(users: ["u\(user)"]), at: fixture.now)
            let now = try places(file)
            #expect(now.count { !$0.isEmpty } == 1)
            filled.append(try #require(now.firstIndex { !$0.isEmpty }))
            #expect(try read(file, ledger) == ledger.auditLog().last?.sequence)
        }
        let bytes = try Data(contentsOf: file)
        try ledger.close()
        try fixture.open().close()
        #expect(try Data(contentsOf: file) == bytes, "opening it writes nothing")
        #expect(Set(filled) == [0, 1] && zip(filled, filled.dropFirst()).allSatisfy { $0 != $1 })
    }

    @Test("Power that fails while a place is written leaves the other one")
    func tornPlace() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let file = fixture.directory.appendingPathComponent(AuditHeadFile.name)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let sequence = try read(file, ledger)
        let whole = try Data(contentsOf: file)
        let filled = try #require(try places(file).firstIndex { !$0.isEmpty })
        for written in [1, 100, 511, 512, 4000] {
            var torn = whole
            let start = (1 - filled) * AuditHeadPlaces.size
            let text = whole[(filled * AuditHeadPlaces.size)...].prefix(written)
            torn.replaceSubrange(start..<start + written, with: text.map { $0 ^ 1 })
            try torn.write(to: file)
            #expect(try read(file, ledger) == sequence, "\(written) bytes")
        }
        // And both, of which the later one counts.
        _ = try ledger.forget(requestID: "g", LedgerFixture.forget(users: ["u2"]), at: fixture.now)
        let later = try Data(contentsOf: file)
        var both = later
        let old = filled * AuditHeadPlaces.size
        both.replaceSubrange(old..<old + AuditHeadPlaces.size, with: whole[old...].prefix(AuditHeadPlaces.size))
        try both.write(to: file)
        #expect(try read(file, ledger) == ledger.auditLog().last?.sequence)
    }

    @Test("A file that is gone, or an earlier release's single line, is replaced whole")
    func replaced() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let file = fixture.directory.appendingPathComponent(AuditHeadFile.name)
        let line = try #require(try places(file).first { !$0.isEmpty })
        for (request, before) in [("f", nil), ("g", Data(line.utf8))] {
            try FileManager.default.removeItem(at: file)
            try before?.write(to: file)
            if before != nil { #expect(try read(file, ledger) != nil) }
            _ = try ledger.forget(
                requestID: request, LedgerFixture.forget(users: [request == "f" ? "u1" : "u2"]), at: fixture.now)
            #expect(try places(file).count { !$0.isEmpty } == 1)
            #expect(try read(file, ledger) == ledger.auditLog().last?.sequence)
        }
        try ledger.close()
        #expect(try fixture.open().auditVerdict().isIntact)
    }
}
