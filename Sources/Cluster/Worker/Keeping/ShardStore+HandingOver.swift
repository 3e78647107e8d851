import Messages
import Unlearning

/// Stages that other workers made, and those that others want. What is handed on is what a training on the present data passes,
/// and nothing else.
extension ShardStore {
    /// The stages that a training on what the shard holds now passes and that are not here, last slice first.
    package func lacking(shard: Int) -> [StageReport] {
        guard let contents = kept[shard]?.contents, let names = trainings[shard]?.names(contents) else { return [] }
        let found = Set(folder(shard).contentNames(ShardFolder.stageSuffix))
        var lacking: [StageReport] = []
        for slice in stride(from: names.last, to: 0, by: -1) {
            // A slice without prompts leaves what there was before it.
            guard let name = names[slice], names.data(of: slice) != (slice > 1 ? names.data(of: slice - 1) : .nothing),
                !found.contains(name)
            else { continue }
            lacking.append(StageReport(slice: slice, name: name))
        }
        return lacking
    }

    /// Keeps a stage as one made here.
    ///
    /// - Throws: with the code `stage-differs` where its bytes are others than is said, or no training could begin at it, `storage`
    ///   or `disk-full`.
    package func take(_ handed: HandedStage, shard: Int) throws(TaskFailure) -> TrainingStage {
        guard let training = trainings[shard] else {
            throw TaskFailure(code: .storage, message: "shard \(shard) is not held any more")
        }
        let stage = try TrainingStage(handed)
        try keep(stage, shard: shard, of: training)
        return stage
    }

    /// The stage of this name of a training on what the shard holds now, for another worker. One that does not open, is damaged, or
    /// at which no training can begin goes from the disk.
    ///
    /// - Throws: with the code `not-held`.
    package func hand(_ name: String, shard: Int) throws(TaskFailure) -> HandedStage {
        let failure = TaskFailure(code: .notHeld, message: "the stage is not held any more")
        guard let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            let training = trainings[shard], let names = training.names(contents), let slice = names.slice(of: name),
            let key = stageKey(slice, contents, secrets, training)
        else { throw failure }
        guard let stage = opened(name, shard: shard, key: key), names.canBegin(at: stage, model: training.model),
            let handed = try? stage.handed()
        else {
            discard(name, shard: shard)
            throw failure
        }
        guard handed.bytes.count <= WireLimits.stageBytes else {
            throw TaskFailure(code: .tooLarge, message: "the stage is too long to travel")
        }
        return handed
    }
}
