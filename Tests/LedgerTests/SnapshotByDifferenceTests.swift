import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// Invariant 9: what a snapshot costs follows from what changed; what it says does not.
@Suite("Ledger: the snapshot is kept by difference")
struct SnapshotByDifferenceTests {
    @Test(
        "After every step it is what is read from the first row to the last",
        arguments: PartitionMethod.allCases, TestRounds.few(2, full: 12))
    func isTheSame(partition: PartitionMethod, seed: Int) throws {
        var numbers = SeededNumbers(UInt64(1000 + seed))
        let fixture = LedgerFixture(partition: partition, shards: 4)
        let data = SyntheticRatings(users: 16, seed: UInt64(seed))
        let ledger = try fixture.open()
        try expectTheSame(ledger)
        try fixture.load(data, into: ledger)
        try expectTheSame(ledger)
        try fixture.prepare(ledger)
        var users = Set(data.interactions.map(\.user)).sorted().shuffled(using: &numbers)
        for round in 0..<14 {
            try step(Int.random(in: 0..<9, using: &numbers), round, ledger, fixture, &users, &numbers)
            try expectTheSame(ledger)
        }
        #expect(try ledger.auditVerdict().isIntact)
    }

    @Test("What is taken back leaves it as it was, alone and among others")
    func takenBack() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 1))
        let before = try ledger.snapshot()
        #expect(throws: LedgerError.self) {
            try ledger.together {
                _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
                #expect(try ledger.snapshot() != before)
                throw LedgerError.unknownUser("nobody")
            }
        }
        #expect(try ledger.snapshot() == before)
        try ledger.together {
            _ = try? ledger.forget(requestID: "b", LedgerFixture.forget(users: ["nobody"]), at: fixture.now)
            _ = try ledger.forget(requestID: "c", LedgerFixture.forget(users: ["u2"]), at: fixture.now)
        }
        #expect(try ledger.snapshot().pendingForgets.map(\.id) == ["c"])
        try expectTheSame(ledger)
    }

    @Test("Entries of the audit log alone leave it alone")
    func entries() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 1))
        let before = try ledger.snapshot()
        var journal = AccessJournal()
        let entries = journal.take(Access(by: "a", asked: "forget", request: "r"), at: fixture.now)
        try ledger.record(entries, at: fixture.now)
        #expect(try ledger.snapshot() == before)
        try expectTheSame(ledger)
    }

    private func expectTheSame(_ ledger: Ledger) throws {
        #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
    }

    private func step(
        _ kind: Int, _ round: Int, _ ledger: Ledger, _ fixture: LedgerFixture, _ users: inout [String],
        _ numbers: inout SeededNumbers
    ) throws {
        let shards = try ledger.snapshot().shards
        switch kind {
        case 0, 1:
            guard let user = users.popLast() else { return }
            let method = ["apa", "e2urec", "ifru"].randomElement(using: &numbers)
            _ = try ledger.forget(
                requestID: "r\(round)",
                ClientRequest.ForgetRequest(users: [user], interactions: [], method: method), at: fixture.now)
        case 2:
            for shard in shards where !shard.isCurrent && shard.prompts > 0 {
                try fixture.publish(ledger, shard: shard.index)
                break
            }
        case 3:
            for shard in shards where shard.correction != nil {
                try ledger.abandonCorrection(
                    shard: shard.index, manifest: shard.manifest, reason: .notFinite, at: fixture.now)
            }
        case 4:
            try ledger.purge()
            for pending in try ledger.snapshot().pendingForgets where pending.waitingFor.isEmpty {
                _ = try ledger.finishForget(request: pending.id, at: fixture.now)
            }
        case 5:
            var more = SyntheticRatings(users: 2, seed: UInt64(50 + round))
            for index in more.interactions.indices { more.interactions[index].user += "-\(round)" }
            try fixture.load(more, into: ledger, id: "more \(round)")
        case 6: try fixture.prepare(ledger)
        case 7:
            guard let name = try ledger.adapters().first?.name else { return }
            let file = fixture.directory.appendingPathComponent("adapters/\(name).sealed")
            try Data("no adapter".utf8).write(to: file)
            _ = try ledger.dropIfDamaged(adapter: name, at: fixture.now)
        default: try ledger.requestTraining(at: fixture.now)
        }
    }
}
