import Messages
import Recommendation
import Unlearning
import Worker

/// Shard 2 on a worker's disk: the data of a toy training in slices, and its stages.
package final class StageShelf {
    package let shelf = SealedShelf()
    package let slices: TrainedSlices

    package var prompts: [TrainingPrompt] { slices.prompts }
    package var training: StagedTraining { slices.training }
    package var stages: [TrainingStage] { slices.stages }
    /// Names of the files of stages.
    package var files: [String] { shelf.names.filter { $0.hasSuffix(".stage.sealed") } }

    package init() throws {
        slices = try TrainedSlices(prompts: 24, slices: 4)
    }

    package func file(_ stage: TrainingStage) -> String { "\(stage.name).stage.sealed" }

    package func bring(
        _ prompts: [TrainingPrompt], keys: ShardKeys? = nil, training: StagedTraining? = nil,
        offered: [TrainingPrompt] = [], in store: ShardStore
    ) throws -> ShardStore.Update {
        try store.bring(
            shard: 2, to: Toy.manifest(prompts), keys: keys ?? Toy.keys(prompts), training: training ?? self.training,
            offered: offered)
    }

    /// As after a start: with the data, and whatever lies there.
    package func opened(keys: ShardKeys? = nil) throws -> ShardStore {
        let store = try ShardStore(directory: shelf.directory)
        _ = try bring(prompts, keys: keys, offered: prompts, in: store)
        return store
    }

    /// With all stages.
    package func filled() throws -> ShardStore {
        let store = try opened()
        for stage in stages { try store.keep(stage, shard: 2, of: training) }
        return store
    }
}
