import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: certificates and audit log")
struct LedgerEvidenceTests {
    private func certified(_ partition: PartitionMethod) throws -> (LedgerFixture, Ledger, Certificate) {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        return (fixture, ledger, try ledger.finishForget(request: "f", at: fixture.now.addingTimeInterval(12.5)))
    }

    @Test("A certificate says what was forgotten, in numbers, and which adapters took the place of which")
    func content() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let before = try ledger.snapshot()
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        let statement = try ledger.finishForget(request: "f", at: fixture.now.addingTimeInterval(12.5)).statement
        #expect(statement.request == "f" && statement.counts == outcome.counts && statement.method == .apa)
        #expect(statement.received == "2026-09-21T14:13:20.000Z" && statement.finished == "2026-09-21T14:13:32.500Z")
        let after = try ledger.snapshot()
        #expect(statement.shards.map(\.index) == outcome.shards && !outcome.shards.isEmpty)
        for shard in statement.shards {
            #expect(shard.oldAdapter == before.shards[shard.index].adapter?.name)
            #expect(shard.oldManifest == before.shards[shard.index].manifest)
            #expect(shard.newAdapter == after.shards[shard.index].adapter?.name && shard.newAdapter != nil)
            #expect(shard.newManifest == after.shards[shard.index].manifest)
        }
        #expect(try ledger.auditLog().contains { $0.hash == statement.auditHead && $0.kind == "forget" })
    }

    @Test("A certificate verifies with the ledger's key and with no other, and not when a word is changed")
    func signature() throws {
        let (fixture, ledger, certificate) = try certified(.userHash)
        #expect(certificate.verify(publicKey: ledger.publicKey))
        let stranger = try LedgerFixture().open()
        #expect(!certificate.verify(publicKey: stranger.publicKey) && !certificate.verify(publicKey: Data([1])))
        let coded = try JSONDecoder().decode(Certificate.self, from: JSONEncoder().encode(certificate))
        #expect(coded == certificate && coded.verify(publicKey: ledger.publicKey))
        #expect(try ledger.finishForget(request: "f", at: fixture.now.addingTimeInterval(99)) == certificate)
        #expect(try ledger.forgetRequest("f")?.certificate == certificate)
        #expect(try ledger.forgetRequest("f")?.state == .finished && ledger.forgetRequest("g") == nil)
        #expect(throws: LedgerError.unknownRequest(id: "g")) { try ledger.finishForget(request: "g", at: fixture.now) }
        let key = fixture.directory.appendingPathComponent("certificate.key").path
        let mode = try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("A certificate says what its exactness is relative to", arguments: PartitionMethod.allCases)
    func exactness(partition: PartitionMethod) throws {
        let text = try certified(partition).2.statement.exactness
        #expect(text.hasPrefix("exact"))
        #expect(text.contains("relative to the recorded") == partition.isDataDependent)
    }

    @Test("The audit log is one chain over restarts and names nobody")
    func chain() throws {
        let (fixture, ledger, _) = try certified(.userHash)
        #expect(try ledger.auditVerdict().isIntact)
        let log = try ledger.auditLog()
        #expect(log.map(\.sequence) == Array(1...log.count))
        #expect(Set(log.map(\.kind)).isSuperset(of: ["import", "publish", "margins", "forget", "finish"]))
        #expect(log.allSatisfy { !$0.detail.contains("u1") && !$0.detail.contains("Film") })
        try ledger.close()
        let again = try fixture.open()
        try again.requestTraining(at: fixture.now)
        #expect(try again.auditVerdict().isIntact && again.auditLog().dropLast() == log[...])
    }

    @Test("A changed, missing or foreign entry breaks the audit chain")
    func tampering() throws {
        for change in [
            "UPDATE audit SET detail = '{}' WHERE sequence = 3", "DELETE FROM audit WHERE sequence = 3",
            "DELETE FROM audit WHERE sequence = 1", "UPDATE audit SET time = time + 1 WHERE sequence = 5",
        ] {
            let (fixture, ledger, _) = try certified(.userHash)
            defer { withExtendedLifetime(fixture) {} }
            #expect(throws: (any Error).self) { try ledger.tamper(change) }
            #expect(try ledger.auditVerdict().isIntact)
            try ledger.tamper("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted; \(change)")
            #expect(try !ledger.auditVerdict().isIntact)
        }
    }
}
