import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

/// Stages on a disk that was away while somebody was forgotten: the coordinator's ledger and the worker's own store.
@Suite("Stages on a disk that was away")
struct AwayStagesTests {
    private struct Kept {
        var ledger: Ledger
        var store: ShardStore
        var stages: [TrainingStage]
        var training: StagedTraining
        var fixture: LedgerFixture
    }

    private func bring(_ store: ShardStore, _ ledger: Ledger, _ training: StagedTraining) throws {
        _ = try store.bring(
            shard: 0, to: ledger.manifest(shard: 0), keys: ledger.shardKeys(shard: 0), training: training,
            offered: ledger.samples(shard: 0))
    }

    private func stages(_ ledger: Ledger, _ training: StagedTraining) throws -> [TrainingStage] {
        var stages: [TrainingStage] = []
        _ = try Toy.executor().train(
            prompts: ledger.samples(shard: 0), specification: training.specification, from: nil,
            keep: { stages.append($0) }, progress: { _ in }, isCancelled: { false })
        return stages
    }

    private func kept(_ partition: PartitionMethod, in directory: String) throws -> Kept {
        let fixture = LedgerFixture(partition: partition, shards: 1)
        fixture.slices = 4
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 12, seed: 3), into: ledger)
        try fixture.embed(ledger)
        if try ledger.snapshot().unassignedPrompts > 0 { try ledger.partition(at: fixture.now) }
        let training = Toy.staged(fixture.configuration.training)
        let store = try ShardStore(directory: directory)
        try bring(store, ledger, training)
        let made = try stages(ledger, training)
        for stage in made { try store.keep(stage, shard: 0, of: training) }
        return Kept(ledger: ledger, store: store, stages: made, training: training, fixture: fixture)
    }

    @Test(
        "With the keys that still exist only stages before the forgotten user's slice open, and they are those of now",
        arguments: [PartitionMethod.userHash, .user], 0..<12)
    func wholeUser(partition: PartitionMethod, user: Int) throws {
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let kept = try kept(partition, in: directory)
        // Who has too few ratings for a training prompt is in no slice.
        let isTrained = try kept.ledger.prompts(split: .train).contains { $0.prompt.user == "u\(user)" }
        let slice = isTrained ? SliceDealing(kept.training.specification).slice(ofUser: "u\(user)") : 5
        _ = try kept.ledger.forget(
            requestID: "f", LedgerFixture.forget(users: ["u\(user)"]), at: kept.fixture.now)
        // Away: it knows no keys but those that it is given now.
        let store = try ShardStore(directory: directory)
        try bring(store, kept.ledger, kept.training)
        let staying = kept.stages.filter { $0.slice < slice }
        #expect(store.stage(shard: 0, of: kept.training) == staying.last)
        #expect(try stages(kept.ledger, kept.training).prefix(staying.count) == staying[...])
        #expect(files(directory).count == staying.count)
    }

    @Test("Where prompts are dealt one by one, no stage with a prompt of somebody who forgot anything opens")
    func singleInteraction() throws {
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let kept = try kept(.hash, in: directory)
        let dealing = SliceDealing(kept.training.specification)
        let prompts = try kept.ledger.prompts(split: .train)
        let target = try #require(try prompts.max { try dealing.slice(of: $0.sample) < dealing.slice(of: $1.sample) })
        let first = try prompts.filter { $0.prompt.user == target.prompt.user }.map { try dealing.slice(of: $0.sample) }
            .min()
        _ = try kept.ledger.forget(
            requestID: "f", LedgerFixture.forget(target.prompt.target), at: kept.fixture.now)
        let store = try ShardStore(directory: directory)
        try bring(store, kept.ledger, kept.training)
        #expect(store.stage(shard: 0, of: kept.training) == kept.stages.last { $0.slice < first ?? 0 })
        // The worker that was there all the time keeps what the request did not touch.
        let now = try stages(kept.ledger, kept.training)
        let unchanged = zip(now, kept.stages).filter { $0.0.name == $0.1.name }.map(\.1)
        let present = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: present) }
        let other = try self.kept(.hash, in: present)
        _ = try other.ledger.forget(
            requestID: "f", LedgerFixture.forget(target.prompt.target), at: other.fixture.now)
        try bring(other.store, other.ledger, other.training)
        #expect(other.store.stage(shard: 0, of: other.training) == unchanged.last)
    }

    private func files(_ directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/shards/0")) ?? []).filter {
            $0.hasSuffix(".stage.sealed")
        }
    }
}
