import Messages
import Unlearning

/// A stage or checkpoint on its way to the disk, and for which training.
struct KeptStage: Sendable, Equatable {
    let job: JobID
    let name: String
    let slice: Int
    let isCheckpoint: Bool

    init(_ stage: TrainingStage, of job: JobID) {
        self.job = job
        (name, slice, isCheckpoint) = (stage.name, stage.slice, stage.isCheckpoint)
    }

    /// Whether, once this is on the disk, nothing is missed of the other: it is there itself, or was a checkpoint of what has
    /// been passed since.
    func makesUp(for other: KeptStage) -> Bool {
        name == other.name || (other.isCheckpoint && other.slice <= slice)
    }
}

/// What of a training is not on the disk.
struct Unkept: Sendable, Equatable {
    /// nil: it was not brought to other keys, and keeps nothing of the training until it is.
    let stage: KeptStage?
    /// For people.
    let reason: String
}

/// What trainings leave on the disk while they go on, and what becomes of it.
extension WorkerLogic {
    /// A training came by a stage or a checkpoint.
    mutating func keep(_ stage: TrainingStage, of job: JobID) -> [Action] {
        // Replays leave none.
        guard let shard = shard(training: job), let assignment = assignments[shard] else { return [] }
        let isDoubted = evidence[shard].map { $0.isOf(assignment) && $0.doubted.contains(stage.name) } ?? false
        var keep = command(shard, .keepStage(stage, assignment.specification, isDoubted: isDoubted))
        keep.job = job
        keeping[keep.id] = KeptStage(stage, of: job)
        if !stage.isCheckpoint { assignments[shard]?.passed.insert(stage.name) }
        return [.storage(keep)] + passed(stage, of: shard)
    }

    /// A storage command has ended that nothing waits for.
    ///
    /// - `before`: the copy as it was known.
    mutating func ended(_ result: StorageResult, before: ShardCopy?) -> [Action] {
        let stage = keeping.removeValue(forKey: result.id)
        var actions = stagesGone(from: result.copy, before: before)
        switch result.outcome {
        case .failed(let failure):
            if stage == nil || assignments[result.shard]?.job == stage?.job {
                assignments[result.shard]?.unkept.removeAll { $0.stage?.name == stage?.name }
                assignments[result.shard]?.unkept.append(Unkept(stage: stage, reason: failure.message))
            }
            actions.append(.log("storage of shard \(result.shard): \(failure.message)"))
        case .saved:
            if let stage {
                assignments[result.shard]?.unkept.removeAll { $0.stage.map(stage.makesUp) ?? true }
            }
            keepPassed(result)
        case .complete: assignments[result.shard]?.unkept.removeAll { $0.stage == nil }
        case .missing, .leftOut, .taken, .handed, .removed: break
        }
        return actions
    }

    /// The coordinator is told which stages lie there no more.
    private func stagesGone(from copy: ShardCopy?, before: ShardCopy?) -> [Action] {
        guard let copy, copy.manifest == before?.manifest, let known = before?.stages else { return [] }
        let there = Set(copy.stages ?? [])
        return known.allSatisfy(there.contains) ? [] : [.send(.holds(copy))]
    }
}
