import Messages
import Unlearning

/// A stage or checkpoint on its way to the disk, and for which training.
struct KeptStage: Sendable, Equatable {
    let job: JobID
    let name: String
    let slice: Int
    let isCheckpoint: Bool
    /// That it takes in memory until it is written.
    let bytes: Int

    init(_ stage: TrainingStage, of job: JobID) {
        self.job = job
        (name, slice, isCheckpoint) = (stage.name, stage.slice, stage.isCheckpoint)
        bytes = stage.byteCount
    }

    /// For people.
    var title: String { isCheckpoint ? "a checkpoint in slice \(slice)" : "the stage after slice \(slice)" }

    /// Whether, once this is on the disk, nothing is missed of the other: it is there itself, or was a checkpoint of what has
    /// been passed since.
    func makesUp(for other: KeptStage) -> Bool {
        name == other.name || (other.isCheckpoint && other.slice <= slice)
    }
}

/// What of a training may wait in memory for a slow disk. Writes that hang end when the disk does, the training goes on meanwhile:
/// more than this is left out, and is said not to be kept.
package struct UnwrittenStages: Sendable {
    /// One that is being written, and one behind it.
    static let most = 2

    /// Small ones are waited for whatever their number.
    package var bytes = 32 << 20

    /// Whether one more may wait. A checkpoint is made again soon; it leaves room for a stage, which is not made again, and at which
    /// trainings after a forget begin.
    func mayWait(_ stage: KeptStage, behind others: [KeptStage]) -> Bool {
        let all = others + (stage.isCheckpoint ? [stage, stage] : [stage])
        return all.count <= Self.most || all.reduce(0) { $0.addingSaturated($1.bytes) } <= bytes
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
        if !stage.isCheckpoint { assignments[shard]?.passed.insert(stage.name) }
        let kept = KeptStage(stage, of: job)
        guard unwritten.mayWait(kept, behind: keeping.values.filter { $0.job == job }) else {
            let reason =
                "\(kept.title) is not kept, the training goes on: the disk has not taken what came before it yet"
            note(Unkept(stage: kept, reason: reason), of: shard)
            // Nothing comes in the place of what leads nowhere: that goes all the same.
            let discard = isDoubted ? [Action.storage(command(shard, .discard(stage.name)))] : []
            return [.log("storage of shard \(shard): \(reason)")] + discard + passed(stage, of: shard)
        }
        var keep = command(shard, .keepStage(stage, assignment.specification, isDoubted: isDoubted))
        keep.job = job
        keeping[keep.id] = kept
        return [.storage(keep)] + passed(stage, of: shard)
    }

    /// In the place of what was said of the same stage before, or of an earlier checkpoint.
    private mutating func note(_ new: Unkept, of shard: Int) {
        assignments[shard]?.unkept.removeAll { old in
            old.stage?.name == new.stage?.name || (old.stage?.isCheckpoint == true && new.stage?.isCheckpoint == true)
        }
        assignments[shard]?.unkept.append(new)
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
                note(Unkept(stage: stage, reason: failure.message), of: result.shard)
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
