import ClusterTestSupport
import Crypto
import Files
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

/// A worker's disk that was away while somebody was forgotten: the coordinator's ledger and the worker's own store.
@Suite("A worker's disk that was away")
struct AwayWorkerTests {
    private func bring(_ store: ShardStore, _ ledger: Ledger, shard: Int) throws -> ShardStore.Update {
        try store.bring(
            shard: shard, to: ledger.manifest(shard: shard), keys: ledger.shardKeys(shard: shard),
            offered: ledger.samples(shard: shard))
    }

    private func missing(_ store: ShardStore, _ ledger: Ledger, shard: Int) throws -> Set<String> {
        let update = try store.bring(
            shard: shard, to: ledger.manifest(shard: shard), keys: ledger.shardKeys(shard: shard))
        if case .missing(let digests) = update { return Set(digests) }
        return []
    }

    @Test(
        "With every key that still exists nothing of the forgotten opens, and everybody else's prompts do",
        arguments: [PartitionMethod.hash, .userHash], 0..<3)
    func noise(partition: PartitionMethod, seed: UInt64) throws {
        let fixture = LedgerFixture(partition: partition, shards: 2)
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: seed))
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var store = try ShardStore(directory: directory)
        var held: [Int: [TrainingPrompt]] = [:]
        for shard in 0..<2 {
            guard case .complete(let prompts) = try bring(store, ledger, shard: shard) else {
                Issue.record("shard \(shard) is not complete")
                continue
            }
            held[shard] = prompts
        }
        let users = Dictionary(
            try ledger.prompts(split: .train).map { ($0.digest, $0.prompt.user) },
            uniquingKeysWith: { first, _ in first })
        let victim = try #require(held.values.joined().compactMap { users[$0.digest] }.sorted().first)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)

        // What the disk holds, opened with each key that the ledger can still give.
        for shard in 0..<2 {
            let file = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/shards/\(shard)/prompts.sealed"))
            for prompt in held[shard] ?? [] {
                #expect(file.range(of: Data(prompt.id.utf8)) == nil && file.range(of: Data(prompt.input.utf8)) == nil)
            }
        }
        store = try ShardStore(directory: directory)
        for shard in 0..<2 {
            #expect(try missing(store, ledger, shard: shard) == [])
            let kept = try ledger.samples(shard: shard)
            #expect(kept == (held[shard] ?? []).filter { users[$0.digest] != victim })
            let names = (held[shard] ?? []).filter { users[$0.digest] == victim }.map(\.digest)
            let now = try store.prompts(
                shard: shard, manifest: ledger.manifest(shard: shard).digest, keys: ledger.shardKeys(shard: shard))
            #expect(now.map { !$0.contains { names.contains($0.digest) } } ?? kept.isEmpty)
        }
    }

    @Test(
        "Of a person of whom one interaction was forgotten, the old box is dropped and the prompts are asked for again")
    func oneInteraction() throws {
        let data = SyntheticRatings(users: 10, seed: 5)
        let fixture = LedgerFixture(partition: .userHash, shards: 1)
        let ledger = try fixture.trained(data)
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        _ = try bring(try ShardStore(directory: directory), ledger, shard: 0)
        let users = Dictionary(
            try ledger.prompts(split: .train).map { ($0.digest, $0.prompt) }, uniquingKeysWith: { first, _ in first })
        let target = try #require(users.values.sorted { $0.id < $1.id }.last).target
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(target), at: fixture.now)
        let store = try ShardStore(directory: directory)
        let theirs = try ledger.prompts(split: .train).filter { $0.prompt.user == target.user }.map(\.digest)
        #expect(try missing(store, ledger, shard: 0) == Set(theirs))
        guard case .complete(let prompts) = try bring(store, ledger, shard: 0) else {
            Issue.record("the shard is not complete")
            return
        }
        #expect(try prompts == ledger.samples(shard: 0))
    }
}
