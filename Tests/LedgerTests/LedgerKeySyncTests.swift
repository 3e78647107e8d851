import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

/// Each sync of the key file is a wait for the disk: before a commit for keys that may not be lost, and after it for those that go.
@Suite("Ledger: syncs of the key file")
struct LedgerKeySyncTests {
    private func syncs(_ ledger: Ledger, _ work: () throws -> Void) rethrows -> (keys: Int, commits: Int) {
        let before = (ledger.keys.syncs, ledger.commits)
        try work()
        return (ledger.keys.syncs - before.0, ledger.commits - before.1)
    }

    @Test("To forget a whole person takes one sync of it, single interactions one more for the record's new key")
    func forgets() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let data = SyntheticRatings(users: 12, seed: 71)
        let ledger = try fixture.trained(data)
        let whole = try syncs(ledger) {
            _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        }
        #expect(whole.keys == 1)
        let one = try #require(data.interactions.first { $0.user == "u2" })
        let single = try syncs(ledger) {
            _ = try ledger.forget(requestID: "b", LedgerFixture.forget(one.key), at: fixture.now)
        }
        #expect(single.keys == 2)
        let several = try syncs(ledger) {
            try ledger.together {
                for user in ["u3", "u4", "u5"] {
                    _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
                }
            }
        }
        #expect(several.keys == 1)
    }

    @Test("A batch of an import, and an import of a few people, take one sync for their keys and one for those that go")
    func imports() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let data = SyntheticRatings(users: 8, seed: 72)
        let ledger = try fixture.open()
        for sequence in 0..<2 {
            let staged = try syncs(ledger) {
                try ledger.stage(
                    importID: "i", sequence: sequence, items: sequence == 0 ? data.items : [],
                    interactions: sequence == 0 ? [] : data.interactions, at: fixture.now)
            }
            #expect(staged.keys == 2)
        }
        let taken = try syncs(ledger) {
            _ = try ledger.finishImport(importID: "i", batches: 2, prompts: fixture.prompts, at: fixture.now)
        }
        #expect(try ledger.statistics().users == 8 && ledger.isNamedByItsPrompts())
        // However many portions it is.
        #expect(taken.keys <= 2 * taken.commits)
    }

    @Test("Keys of sums that a loss of power took with it after the commit are made anew, and nothing else is missed")
    func lostWithPower() throws {
        struct Killed: Error {}
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 73))
        let before = try Data(contentsOf: fixture.directory.appendingPathComponent("keys/slots"))
        let killed = LedgerFixture(partition: .userHash)
        ledger.interrupt = { step in
            guard step == .afterCommit else { return }
            try FileManager.default.copyItem(at: fixture.directory, to: killed.directory)
            throw Killed()
        }
        #expect(throws: Killed.self) {
            try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        }
        // Nothing of what was written and not waited for is on the disk.
        try before.write(to: killed.directory.appendingPathComponent("keys/slots"))
        for _ in 0..<2 {
            let again = try killed.open()
            #expect(try again.statistics().users == 11 && !again.hasUser("u1") && again.isNamedByItsPrompts())
            #expect(try again.forgetRequests().map(\.outcome.request) == ["f"])
            #expect(try !again.auditLog().contains { ["person damaged", "keys of another age"].contains($0.kind) })
            #expect(try again.inspect("SELECT slot FROM sums").count == ledger.inspect("SELECT slot FROM sums").count)
            try again.close()
        }
    }
}
