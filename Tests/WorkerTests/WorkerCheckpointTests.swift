import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: checkpoints of trainings")
final class WorkerCheckpointTests {
    let shelf = SealedShelf()
    let prompts = Toy.prompts(0..<24)

    private func training(slices: Int) -> StagedTraining {
        var specification = Toy.specification()
        specification.slices = slices
        return Toy.staged(specification)
    }

    /// Everything that a training keeps, in its order.
    private func kept(_ training: StagedTraining) throws -> [TrainingStage] {
        var kept: [TrainingStage] = []
        _ = try Toy.executor(checkpointInterval: .zero).train(
            prompts: prompts, specification: training.specification, from: nil, keep: { kept.append($0) },
            progress: { _ in }, isCancelled: { false })
        return kept
    }

    private func filled(_ training: StagedTraining) throws -> ShardStore {
        let store = try ShardStore(directory: shelf.directory)
        #expect(try bring(prompts, training, offered: prompts, in: store) == .complete(prompts))
        return store
    }

    private func bring(
        _ prompts: [TrainingPrompt], _ training: StagedTraining, keys: ShardKeys? = nil,
        offered: [TrainingPrompt] = [], in store: ShardStore
    ) throws -> ShardStore.Update {
        try store.bring(
            shard: 2, to: Toy.manifest(prompts), keys: keys ?? Toy.keys(prompts), training: training, offered: offered)
    }

    private var files: [String] { shelf.names.filter { $0.hasSuffix(".checkpoint.sealed") } }

    @Test(
        "The last one is there after a restart, alone and sealed, and goes with the end of the training",
        arguments: [1, 3])
    func lifetime(slices: Int) throws {
        let training = training(slices: slices)
        let store = try filled(training)
        for stage in try kept(training) {
            try store.keep(stage, shard: 2, of: training)
            #expect(files == (stage.isCheckpoint ? ["\(stage.name).checkpoint.sealed"] : []))
            #expect(store.checkpoint(shard: 2, of: training) == (stage.isCheckpoint ? stage : nil))
        }
        let last = try #require(try kept(training).last)
        try #require(last.isCheckpoint)
        #expect(!Data(try shelf.bytes(files[0])).contains(Data("lossSums".utf8)))
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try bring(prompts, training, in: reopened) == .complete(prompts))
        #expect(reopened.checkpoint(shard: 2, of: training) == last)
        let report = TrainingReport(
            adapter: String(repeating: "a", count: 64), manifest: Toy.manifest(prompts).digest, prompts: 24,
            specification: training.specification, steps: 2, tokens: 10, seconds: 1, computeSeconds: 1,
            epochLosses: [0.5])
        try reopened.save(shard: 2, adapter: [1], report: report, arithmetic: training.arithmetic)
        #expect(files == [])
    }

    @Test("Whoever is forgotten takes it along, on the disk and by the key", arguments: [1, 3])
    func forgetting(slices: Int) throws {
        let training = training(slices: slices)
        let dealing = SliceDealing(training.specification)
        let checkpoint = try #require(try kept(training).last { $0.isCheckpoint && $0.slice == (slices + 1) / 2 })
        for gone in 1...slices {
            let store = try filled(training)
            try store.keep(checkpoint, shard: 2, of: training)
            let before = try shelf.files()
            let leaving = try #require(try prompts.first { try dealing.slice(of: $0) == gone })
            let retained = prompts.filter { $0.id != leaving.id }
            // Whose prompt it was keeps the others, under another key.
            let keys = Toy.keys(retained, people: [Toy.person(of: leaving.id): 1])
            #expect(try bring(retained, training, keys: keys, in: store) == .complete(retained))
            let stays = gone > checkpoint.slice
            #expect(store.checkpoint(shard: 2, of: training) == (stays ? checkpoint : nil))
            #expect(files.count == (stays ? 1 : 0))
            // The disk of a worker that was away.
            try shelf.put(before)
            let away = try ShardStore(directory: shelf.directory)
            _ = try bring(retained, training, keys: keys, in: away)
            let person = Toy.person(of: leaving.id)
            // What else is theirs lies there under the old key.
            let isWhole = !retained.contains { Toy.person(of: $0.id) == person }
            #expect(away.checkpoint(shard: 2, of: training) == (stays && isWhole ? checkpoint : nil))
            try shelf.put([:])
        }
    }

    @Test("A damaged one is deleted, and the stage before it is taken")
    func damaged() throws {
        let training = training(slices: 3)
        let store = try filled(training)
        let all = try kept(training)
        let stage = try #require(all.last { !$0.isCheckpoint })
        for made in all where !made.isCheckpoint || made == all.last { try store.keep(made, shard: 2, of: training) }
        let name = try #require(files.first)
        var bytes = try shelf.bytes(name)
        bytes[bytes.count / 2] ^= 1
        try shelf.put(shelf.files().merging([name: bytes]) { $1 })
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try bring(prompts, training, in: reopened) == .complete(prompts))
        #expect(reopened.checkpoint(shard: 2, of: training) == nil && files == [])
        #expect(reopened.stage(shard: 2, of: training) == stage)
    }

    @Test("A full disk leaves it out, says so, and the one before it stays, unless that was found to lead nowhere")
    func fullDisk() throws {
        let training = training(slices: 1)
        let store = try filled(training)
        let made = try kept(training)
        let (before, after) = (try #require(made.first), try #require(made.last))
        try #require(before.name == after.name && before.steps < after.steps)
        func keepOnFullDisk(isDoubted: Bool) {
            let path = shelf.path("\(after.name).checkpoint.sealed.lethe-temporary")
            #expect(symlink("/dev/full", path) == 0)
            do {
                try store.keep(after, shard: 2, of: training, isDoubted: isDoubted)
                Issue.record("it was kept on a full disk")
            } catch {
                #expect(error.code == .diskFull && error.message.contains("the training goes on"))
            }
        }
        keepOnFullDisk(isDoubted: false)
        #expect(store.checkpoint(shard: 2, of: training) == nil && files == [])
        try store.keep(before, shard: 2, of: training)
        keepOnFullDisk(isDoubted: false)
        #expect(store.checkpoint(shard: 2, of: training) == before && files.count == 1)
        // Also for the next process.
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try bring(prompts, training, in: reopened) == .complete(prompts))
        #expect(reopened.checkpoint(shard: 2, of: training) == before)
        keepOnFullDisk(isDoubted: true)
        #expect(store.checkpoint(shard: 2, of: training) == nil && files == [])
    }

    @Test("Giving up a shard deletes it")
    func removal() throws {
        let training = training(slices: 1)
        let store = try filled(training)
        try store.keep(try #require(try kept(training).last), shard: 2, of: training)
        try store.remove(shard: 2)
        #expect(shelf.names == [])
    }
}
