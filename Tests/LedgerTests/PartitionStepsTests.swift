import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// A partition is computed outside of any transaction and written in portions: whatever else happens goes in between.
@Suite("Ledger: a partition in steps")
struct PartitionStepsTests {
    private func loaded(_ partition: PartitionMethod) throws -> (LedgerFixture, Ledger) {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 12, seed: 5), into: ledger)
        try fixture.embed(ledger)
        return (fixture, ledger)
    }

    /// One person a step.
    private func next(_ step: PartitionStep, _ ledger: Ledger, _ fixture: LedgerFixture) throws -> PartitionStep {
        if case .dealing(let undealt) = step { return .placing(try undealt.dealt()) }
        return try ledger.continuePartition(step, seconds: 0, at: fixture.now)
    }

    private func places(_ ledger: Ledger) throws -> [String: Int?] {
        Dictionary(uniqueKeysWithValues: try ledger.prompts(split: .train).map { ($0.id, $0.shard) })
    }

    @Test(
        "Person by person it is what it is at one go, with one entry of the log",
        arguments: [PartitionMethod.semantic, .user])
    func same(partition: PartitionMethod) throws {
        let (fixture, ledger) = try loaded(partition)
        let (_, whole) = try loaded(partition)
        let shards = try whole.partition(at: fixture.now)
        var step = try ledger.beginPartition()
        var steps = 0
        while true {
            if case .done(let changed) = step {
                #expect(changed == shards)
                break
            }
            step = try next(step, ledger, fixture)
            steps += 1
            #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
        }
        #expect(steps > 15)
        #expect(try places(ledger) == places(whole))
        #expect(try ledger.snapshot().shards == whole.snapshot().shards)
        #expect(try ledger.auditLog().count { $0.kind == "partition" } == 1)
    }

    @Test(
        "Who is forgotten in between is given no place, and is part of no centre",
        arguments: [PartitionMethod.semantic, .user],
        TestRounds.isFull ? Array(0..<30) : [0, 1, 5, 11, 12, 13, 14, 20, 26])
    func forgotten(partition: PartitionMethod, after: Int) throws {
        let (fixture, ledger) = try loaded(partition)
        var step = try ledger.beginPartition()
        var (steps, wasDealt) = (0, false)
        while true {
            if case .done = step { break }
            if steps == after {
                if case .placing = step { wasDealt = try ledger.inspect("SELECT 1 FROM partition").count == 1 }
                _ = try ledger.forget(
                    requestID: "f", LedgerFixture.forget(users: ["u0", "u3", "u7"]), at: fixture.now)
            }
            let before = step
            step = try next(step, ledger, fixture)
            steps += 1
            // Where recorded centres were given up, those who have a place keep it: that was not in vain.
            if case .placing = before, case .gathering = step { #expect(step.beginsAgain(after: before) == !wasDealt) }
        }
        let snapshot = try ledger.snapshot()
        #expect(try snapshot.isPartitioned && snapshot == ledger.snapshotReadWhole())
        for shard in 0..<fixture.shards {
            #expect(try ledger.manifest(shard: shard).digest == snapshot.shards[shard].manifest)
        }
        guard steps > after, !wasDealt else { return }
        // As if they had never been there.
        let other = LedgerFixture(partition: partition)
        let fresh = try other.open()
        try other.load(
            SyntheticRatings(users: 12, seed: 5).without(users: ["u0", "u3", "u7"]), into: fresh)
        try other.embed(fresh)
        try fresh.partition(at: other.now)
        #expect(try places(ledger) == places(fresh))
    }

    @Test("Killed in between, the rest is dealt to the same centres", arguments: [PartitionMethod.semantic, .user])
    func killed(partition: PartitionMethod) throws {
        let (fixture, ledger) = try loaded(partition)
        var step = try ledger.beginPartition()
        while true {
            step = try next(step, ledger, fixture)
            if try ledger.snapshot().shards.contains(where: { $0.prompts > 0 }) { break }
        }
        let dealt = try places(ledger).compactMapValues { $0 }
        let copy = try fixture.copyOfFiles()
        let reopened = try fixture.open(at: copy)
        #expect(try reopened.snapshot().unassignedPrompts > 0)
        try reopened.partition(at: fixture.now)
        #expect(try reopened.snapshot().isPartitioned)
        let after = try places(reopened)
        for (id, shard) in dealt { #expect(after[id] == shard) }
    }
}
