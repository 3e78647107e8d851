import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// Invariant 3: what is trained after a forget is what a fresh cluster would train that never saw the data.
@Suite("Ledger: equality with a fresh ledger")
struct LedgerPropertyTests {
    @Test(
        "After random forgets prompts and manifests are those of a ledger that imported only the retained rows",
        arguments: [PartitionMethod.userHash, .hash], TestRounds.few(4, full: 16))
    func equalsFresh(partition: PartitionMethod, seed: Int) throws {
        var numbers = SeededNumbers(UInt64(seed))
        let prompts = PromptConfiguration(
            historyLength: Int.random(in: 1...5, using: &numbers),
            trainFraction: Bool.random(using: &numbers) ? 1 : 0.6, validationFraction: 0.7, testFraction: 0.8,
            seed: UInt64(seed))
        let fixture = LedgerFixture(partition: partition, prompts: prompts)
        var data = SyntheticRatings(users: 14, seed: UInt64(seed))
        let ledger = try fixture.trained(data)
        for round in 0..<4 {
            try forgetSome(&data, ledger, fixture, round, &numbers)
            if Bool.random(using: &numbers) { try fixture.prepare(ledger) }
            #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
        }
        let other = LedgerFixture(partition: partition, prompts: prompts)
        let fresh = try other.open()
        try other.load(data, into: fresh)
        #expect(try ledger.snapshot().shards.map(\.manifest) == fresh.snapshot().shards.map(\.manifest))
        #expect(try ledger.snapshot().validationDigest == fresh.snapshot().validationDigest)
        #expect(try ledger.manifestOfAllTrainingPrompts() == fresh.manifestOfAllTrainingPrompts())
        for split in Split.allCases {
            #expect(try Set(ledger.prompts(split: split)) == Set(fresh.prompts(split: split)))
        }
        for shard in 0..<fixture.shards { #expect(try ledger.samples(shard: shard) == fresh.samples(shard: shard)) }
        #expect(try ledger.auditVerdict().isIntact)
    }

    @Test(
        "Under every partition and protocol no retained prompt changes shard or split, and manifests match their prompts",
        arguments: PartitionMethod.allCases, SplitMethod.allCases)
    func sticky(partition: PartitionMethod, method: SplitMethod) throws {
        for seed in TestRounds.few(1, full: 6) {
            var numbers = SeededNumbers(UInt64(100 + seed))
            let prompts = PromptConfiguration(method: method, historyLength: 3)
            let fixture = LedgerFixture(partition: partition, prompts: prompts)
            var data = SyntheticRatings(users: 14, seed: UInt64(seed))
            let ledger = try fixture.trained(data)
            let before = try places(ledger)
            for round in 0..<3 { try forgetSome(&data, ledger, fixture, round, &numbers) }
            let titles = Dictionary(uniqueKeysWithValues: data.items.map { ($0.id, $0.title) })
            let builder = try PromptBuilder(configuration: prompts)
            let after = try places(ledger)
            for (id, stored) in after {
                let old = try #require(before[id])
                if stored.prompt.split == .train { #expect(stored.shard == old.shard) }
                if method == .tallrec { #expect(stored.prompt.split == old.prompt.split) }
            }
            // The prompts are the pure function of the retained rows (and, under tallrec, of the recorded splits).
            let splits = Dictionary(before.values.map { ($0.prompt.target, $0.prompt.split) }) { first, _ in first }
            let expected = Set(data.interactions.map(\.user)).flatMap { user in
                builder.prompts(
                    user: user, interactions: data.interactions, titles: { titles[$0] },
                    splits: method == .tallrec ? splits : [:])
            }
            #expect(Set(after.values.map(\.prompt)) == Set(expected))
            for shard in 0..<fixture.shards {
                let entries = try ledger.samples(shard: shard).map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }
                #expect(try ledger.manifest(shard: shard) == ShardManifest(entries: entries))
                #expect(try ledger.snapshot().shards[shard].manifest == ledger.manifest(shard: shard).digest)
            }
        }
    }

    private func places(_ ledger: Ledger) throws -> [String: StoredPrompt] {
        let all = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        return Dictionary(uniqueKeysWithValues: all.map { ($0.prompt.id, $0) })
    }

    /// A user, some interactions, or both.
    private func forgetSome(
        _ data: inout SyntheticRatings, _ ledger: Ledger, _ fixture: LedgerFixture, _ round: Int,
        _ numbers: inout SeededNumbers
    ) throws {
        let users = Set(data.interactions.map(\.user)).sorted()
        guard users.count > 2 else { return }
        let whole = Bool.random(using: &numbers) ? [users.randomElement(using: &numbers)!] : []
        let count = Int.random(in: whole.isEmpty ? 1...6 : 0...6, using: &numbers)
        let keys = data.interactions.shuffled(using: &numbers).prefix(count).map(\.key)
        let request = ClientRequest.ForgetRequest(
            users: whole,
            interactions: keys.map {
                ClientRequest.ForgetRequest.Target(user: $0.user, item: $0.item, timestamp: $0.timestamp)
            })
        let plan = try ledger.plan(request)
        let outcome = try ledger.forget(requestID: "r\(round)", request, at: fixture.now)
        #expect(plan.counts == outcome.counts)
        #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
        data = data.without(users: Set(whole), interactions: Set(keys))
        #expect(try ledger.statistics().interactions == data.interactions.count)
    }
}
