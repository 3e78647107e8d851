import Messages
import Recommendation

/// What corrections by influence need beforehand, made while nothing else waits.
extension WorkerLogic {
    mutating func prepare(_ asked: CoordinatorMessage.PrepareTask) -> [Action] {
        let (task, shard, manifest) = (asked.task, asked.shard, asked.manifest)
        guard assignments[shard] == nil else {
            return [failed(task, TaskFailure(code: .busy, message: "shard \(shard) is being worked on"))]
        }
        let abandoned = abandonPreparation(shard: shard)
        let read = command(shard, .read(manifest: manifest, keys: asked.keys))
        preparations[shard] = ShardPreparation(
            task: task, manifest: manifest, adapter: asked.adapter, trial: asked.trial, phase: .reading(read.id))
        return abandoned + [.storage(read)]
    }

    mutating func abandonPreparation(shard: Int) -> [Action] {
        guard let preparation = preparations.removeValue(forKey: shard),
            case .computing(let job) = preparation.phase
        else { return [] }
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    /// nil: the result belongs to something else.
    ///
    /// - `before`: the copy as it was known.
    mutating func prepared(_ result: StorageResult, before: ShardCopy?) -> [Action]? {
        guard var preparation = preparations[result.shard] else { return nil }
        switch (preparation.phase, result.outcome) {
        case (.reading(result.id), .complete(let prompts, _)):
            let job = makeJob(
                .prepare(
                    shard: result.shard, prompts: prompts, adapter: preparation.adapter, trial: preparation.trial))
            preparation.phase = .computing(job.id)
            preparations[result.shard] = preparation
            return add(job)
        case (.keeping(result.id, let seconds), .saved):
            preparations[result.shard] = nil
            return [
                .send(
                    .prepared(
                        task: preparation.task, shard: result.shard, adapter: result.copy?.prepared ?? "",
                        seconds: seconds))
            ]
        case (.reading(result.id), .failed(let failure)), (.keeping(result.id, _), .failed(let failure)):
            preparations[result.shard] = nil
            // The hello said more than the keys have opened.
            guard let copy = result.copy, copy != before else { return [failed(preparation.task, failure)] }
            return [.send(.holds(copy)), failed(preparation.task, failure)]
        default: return nil
        }
    }

    mutating func prepared(_ job: JobID, _ outcome: JobOutcome) -> [Action]? {
        let found = preparations.keys.sorted().first { preparations[$0]?.phase == .computing(job) }
        guard let shard = found, var preparation = preparations[shard] else { return nil }
        switch outcome {
        case .prepared(let made, let seconds):
            let keep = command(shard, .keep(made, manifest: preparation.manifest))
            preparation.phase = .keeping(keep.id, seconds: seconds)
            preparations[shard] = preparation
            return [.storage(keep)]
        case .failed(let failure):
            preparations[shard] = nil
            return [failed(preparation.task, failure)]
        default:
            preparations[shard] = nil
            return [failed(preparation.task, TaskFailure(code: .cancelled, message: "the preparation was stopped"))]
        }
    }
}
