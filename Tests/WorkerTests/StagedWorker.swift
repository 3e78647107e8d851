import ClusterTestSupport
import Foundation
import Messages
import Testing
import Unlearning
import Worker
import ZeroMQ

/// A worker process whose disk has the data of a toy training as shard 0 and what is kept of it, and its coordinator.
final class StagedWorker {
    let slices: TrainedSlices
    let directory = Toy.temporaryDirectory()

    init(_ slices: TrainedSlices) { self.slices = slices }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// - Parameter kept: stages and checkpoints.
    func start(
        with kept: [TrainingStage]
    ) throws -> (coordinator: ScriptedCoordinator, worker: WorkerThread, copy: ShardCopy) {
        let store = try ShardStore(directory: directory)
        _ = try bring(store, offered: true)
        for stage in kept { try store.keep(stage, shard: 0, of: slices.training) }
        try Data("test".utf8).write(to: URL(fileURLWithPath: directory + "/cluster"))
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        let copy = try #require(try coordinator.welcome().copies.first)
        return (coordinator, worker, copy)
    }

    /// Once the worker has ended.
    func keptStages() throws -> [TrainingStage] {
        let store = try ShardStore(directory: directory)
        _ = try bring(store, offered: false)
        let names = try StageNames(
            specification: slices.specification, arithmetic: slices.training.arithmetic, prompts: slices.prompts,
            digests: slices.prompts.map(\.digest))
        let present = store.copy(0)?.stages ?? []
        return try (1..<slices.specification.slices).compactMap { names[$0] }.filter(present.contains).map {
            try TrainingStage(bytes: store.hand($0, shard: 0).bytes)
        }
    }

    private func bring(_ store: ShardStore, offered: Bool) throws -> ShardStore.Update {
        try store.bring(
            shard: 0, to: Toy.manifest(slices.prompts), keys: Toy.keys(slices.prompts), training: slices.training,
            offered: offered ? slices.prompts : [])
    }
}
