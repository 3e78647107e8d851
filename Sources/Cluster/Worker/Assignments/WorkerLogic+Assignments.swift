import LanguageModels
import Messages
import Recommendation
import Unlearning

/// A shard as the coordinator assigned it: its data from the disk or the coordinator, then its training or correction.
extension WorkerLogic {
    mutating func assign(_ assignment: CoordinatorMessage.Assignment) -> [Action] {
        if let failure = mismatch(assignment.specification) { return [failed(assignment.task, failure)] }
        if assignment.shard < 0 {
            return [failed(assignment.task, TaskFailure(code: .invalidTask, message: "no shard is negative"))]
        }
        note(assignment.shard)
        if var current = assignments[assignment.shard], current.isSame(as: assignment) {
            current.task = assignment.task
            current.id = assignment.task
            current.isAwaited = assignment.isAwaited
            if current.keys != assignment.keys {
                let changed = change(current, to: assignment.keys)
                return changed + (assignments[assignment.shard].map(offer) ?? [])
            }
            assignments[assignment.shard] = current
            switch current.phase {
            case .waiting(let missing):
                return [.send(.need(task: assignment.task, digests: missing))] + offer(current)
            case .fetching(let fetch): return [wants(fetch.wanted, current)] + offer(current)
            default: return offer(current)
            }
        }
        // A preparation yields to a training, and goes with the data that it is made from.
        let yielding = preparations.keys.sorted().filter {
            assignment.adapter == nil
                || ($0 == assignment.shard && preparations[$0]?.manifest != assignment.manifest.digest)
        }
        let abandoned = abandon(shard: assignment.shard) + yielding.flatMap { abandonPreparation(shard: $0) }
        var new = ShardAssignment(assignment, phase: .waiting([]))
        // A copy that is only kept asks for what it lacks all the same.
        if assignment.adapter == nil, isDoubted(new) { new.unusable = nil }
        let update = command(assignment.shard, new.update(offered: []))
        new.phase = .updating(update.id)
        assignments[assignment.shard] = new
        return abandoned + [.storage(update)]
    }

    /// The same work under other keys: what lies on the disk is sealed anew, and a running training goes on.
    private mutating func change(_ assignment: ShardAssignment, to keys: ShardKeys) -> [Action] {
        var assignment = assignment
        assignment.keys = keys
        let update = command(assignment.shard, assignment.update(offered: []))
        var commands = [update]
        switch assignment.phase {
        case .updating, .waiting, .fetching: assignment.phase = .updating(update.id)
        case .training: break
        case .saving(_, let report, let adapter):
            // What was saved before went with the shard's key.
            var save = command(assignment.shard, .save(report, adapter: adapter))
            save.job = assignment.trainedBy
            assignment.phase = .saving(save.id, report, adapter)
            commands.append(save)
        }
        assignments[assignment.shard] = assignment
        return commands.map { .storage($0) }
    }

    mutating func take(_ prompts: [TrainingPrompt], task: TaskID) -> [Action] {
        guard let shard = shard(of: task), var assignment = assignments[shard],
            case .waiting(let missing) = assignment.phase
        else { return [] }
        let wanted = Set(missing)
        guard prompts.contains(where: { wanted.contains($0.digest) }) else {
            let failure = TaskFailure(code: .promptsMissing, message: "the prompts sent are not those asked for")
            return fail(shard: shard, failure)
        }
        let update = command(shard, assignment.update(offered: prompts))
        assignment.phase = .updating(update.id)
        assignments[shard] = assignment
        return [.storage(update)]
    }

    mutating func handle(_ result: StorageResult) -> [Action] {
        // Results come in the order of the commands, so this is always the newest.
        let before = copies[result.shard]
        copies[result.shard] = result.copy
        if case .removed = result.outcome {
            return [.send(.released(shard: result.shard))]
        }
        if let actions = moved(result, before: before) { return actions }
        if let actions = prepared(result, before: before) { return actions }
        // The first update hands it over, even if other keys have made it superfluous since.
        if let made = result.preparation, assignments[result.shard]?.original == made.adapter {
            assignments[result.shard]?.preparation = made
        }
        guard var assignment = assignments[result.shard], assignment.operation == result.id else {
            return ended(result, before: before)
        }
        switch (assignment.phase, result.outcome) {
        case (.saving(_, let made, let adapter), let outcome):
            assignments[result.shard] = nil
            let report = result.report ?? made
            var actions: [Action] = []
            // The report names every stage that the training passed, also those for which there was no room.
            if assignment.task != nil, var copy = result.copy {
                copy.trained = report.adapter
                actions.append(.send(.holds(copy)))
            }
            // The adapter is good even if it could not be kept.
            if case .failed(let failure) = outcome {
                actions.append(.log("the adapter of shard \(result.shard) is not kept: \(failure.message)"))
            }
            return actions + trained(report, adapter: adapter, task: assignment.task)
        case (_, .failed(let failure)): return fail(shard: result.shard, failure)
        case (_, .missing(let digests)):
            assignment.phase = .waiting(digests)
            assignments[result.shard] = assignment
            return assignment.task.map { [.send(.need(task: $0, digests: digests))] } ?? []
        case (_, .complete(let prompts, let stored)):
            return complete(assignment, prompts: prompts, stored: stored, result)
        case (_, .saved), (_, .leftOut), (_, .taken), (_, .handed), (_, .removed): return []
        }
    }

    private mutating func complete(
        _ assignment: ShardAssignment, prompts: [TrainingPrompt], stored: StorageResult.Trained?,
        _ result: StorageResult
    ) -> [Action] {
        var assignment = assignment
        assignment.unkept.removeAll { $0.stage == nil }
        var actions: [Action] = assignment.adapter == "" ? offerBeside(assignment, result) : []
        if assignment.task != nil, let copy = result.copy { actions.append(.send(.holds(copy))) }
        let useful = result.lacking.filter { !assignment.isUnusable($0.name) }
        let lacking = useful.map(\.name)
        if let adapter = assignment.adapter {
            assignments[assignment.shard] = nil
            // The data is to stay: so are the stages. Where there is no adapter yet, the training will ask for them.
            return adapter.isEmpty ? actions : actions + wanted(lacking, assignment)
        }
        if let stored, assignment.isAnswered(by: stored.report) {
            assignments[assignment.shard] = nil
            return actions + trained(stored.report, adapter: stored.adapter, task: assignment.task)
                + wanted(lacking, assignment)
        }
        guard let correction = assignment.correction else {
            func usable(_ stage: TrainingStage?) -> TrainingStage? {
                stage.flatMap { assignment.isUnusable($0.name) ? nil : $0 }
            }
            let fetch = StageFetch(
                prompts: prompts, stage: usable(result.stage), data: result.stageData,
                checkpoint: usable(result.checkpoint), wanted: lacking)
            let isLater = useful.first.map { $0.slice > fetch.passed } ?? false
            guard isLater, isConnected, assignment.task != nil else { return actions + begin(assignment, fetch) }
            assignment.phase = .fetching(fetch)
            assignments[assignment.shard] = assignment
            return actions + [wants(lacking, assignment)]
        }
        let job = makeJob(
            .correct(correction, assignment.specification, prompts: prompts, preparation: assignment.preparation))
        assignment.preparation = nil
        assignment.phase = .training(job.id)
        assignments[assignment.shard] = assignment
        return actions + add(job)
    }

    /// Gives up what is under way for a shard; what the disk holds of it stays.
    mutating func abandon(shard: Int) -> [Action] {
        guard let assignment = assignments.removeValue(forKey: shard) else { return [] }
        guard case .training(let job) = assignment.phase else { return [] }
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    mutating func fail(shard: Int, _ failure: TaskFailure) -> [Action] {
        let task = assignments.removeValue(forKey: shard)?.task
        return [.log("shard \(shard): \(failure.code): \(failure.message)")]
            + (task.map { [failed($0, failure)] } ?? [])
    }
}
