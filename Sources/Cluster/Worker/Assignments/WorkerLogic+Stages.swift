import LanguageModels
import Messages
import Unlearning

/// Stages: where a training begins, and what other workers made of it or want of what was made here.
extension WorkerLogic {
    // MARK: - Beginning

    /// Begins a shard's training at the best that there is.
    mutating func begin(_ assignment: ShardAssignment, _ fetch: StageFetch) -> [Action] {
        var assignment = assignment
        var actions: [Action] = []
        var job = makeJob(.train(assignment.specification, prompts: fetch.prompts, from: fetch.first))
        if let first = fetch.first {
            let place = first.isCheckpoint ? "after step \(first.steps) on" : "from slice \(first.slice + 1) on"
            actions.append(.log("shard \(assignment.shard) is trained \(place): the rest is kept"))
        }
        assignment.offered = fetch.stage.flatMap { offered($0, fetch.data, assignment) }
        if assignment.offered != nil { job.answering = fetch.stage }
        assignment.begunAt = fetch.first?.name
        assignment.phase = .training(job.id)
        assignments[assignment.shard] = assignment
        return actions + add(job)
    }

    /// A training that could not go on from what it began at begins before that. What it began at is deleted: it would fail again
    /// and again, whoever made it.
    ///
    /// - Returns: nil: the failure has another reason.
    mutating func beginEarlier(_ assignment: ShardAssignment, _ failure: TaskFailure) -> [Action]? {
        guard let begunAt = assignment.begunAt else { return nil }
        var assignment = assignment
        let gone: String?
        switch failure.code {
        case .stageDiffers:
            gone = begunAt
            assignment.unusable?.insert(begunAt)
        // Which of them the numbers come from is not known.
        case .notFinite: (gone, assignment.unusable) = (nil, nil)
        default: return nil
        }
        let discard = command(assignment.shard, .discard(gone))
        let update = command(assignment.shard, assignment.update(offered: []))
        (assignment.begunAt, assignment.offered) = (nil, nil)
        assignment.phase = .updating(update.id)
        assignments[assignment.shard] = assignment
        let said = "shard \(assignment.shard) is trained from before \(begunAt), which is deleted: \(failure.message)"
        return [.log(said), .storage(discard), .storage(update)]
    }

    private func offered(
        _ stage: TrainingStage, _ data: StageData?, _ assignment: ShardAssignment
    ) -> OfferedStage? {
        guard let data,
            let made = stage.trained(on: data, model: executor.model, specification: assignment.specification)
        else { return nil }
        return OfferedStage(report: made.report, adapter: made.adapter.safetensorsBytes())
    }

    /// The compute thread found that the stage counts what it should: nobody could take it back once it answers.
    mutating func offerChecked(_ job: JobID) -> [Action] {
        guard let shard = shard(training: job) else { return [] }
        assignments[shard]?.offered?.isChecked = true
        return assignments[shard].map(offer) ?? []
    }

    /// Hands the stage that the training begins at to the coordinator, once it is checked: it may answer until the training is
    /// done.
    func offer(_ assignment: ShardAssignment) -> [Action] {
        guard case .training = assignment.phase, let task = assignment.task, let offered = assignment.offered,
            offered.isChecked
        else { return [] }
        return [.send(.staged(task: task, offered.report, adapter: offered.adapter))]
    }

    // MARK: - From others

    func wants(_ names: [String], _ assignment: ShardAssignment) -> Action {
        .send(.wants(shard: assignment.shard, manifest: assignment.manifestDigest, stages: names))
    }

    func wanted(_ names: [String], _ assignment: ShardAssignment) -> [Action] {
        names.isEmpty ? [] : [wants(names, assignment)]
    }

    mutating func take(_ stage: HandedStage, of shard: Int) -> [Action] {
        let take = command(shard, .take(stage))
        taking.insert(take.id)
        if case .fetching(var fetch) = assignments[shard]?.phase {
            fetch.arriving += 1
            assignments[shard]?.phase = .fetching(fetch)
        }
        return [.storage(take)]
    }

    /// - Parameter isSure: what is on its way to the disk is not waited for either.
    mutating func endFetch(_ shard: Int, isSure: Bool = false) -> [Action] {
        guard let assignment = assignments[shard], case .fetching(var fetch) = assignment.phase else { return [] }
        fetch.hasEnded = true
        if isSure || fetch.arriving == 0 { return begin(assignment, fetch) }
        assignments[shard]?.phase = .fetching(fetch)
        return []
    }

    /// What became of a storage command that reads or keeps a stage for its journey; nil: it was another one.
    mutating func moved(_ result: StorageResult, before: ShardCopy?) -> [Action]? {
        var said: [Action] = []
        if let copy = result.copy, copy != before { said.append(.send(.holds(copy))) }
        if let task = handing.removeValue(forKey: result.id) {
            switch result.outcome {
            case .handed(let stage?): return said + [.send(.handed(task: task, stage))]
            case .failed(let failure): return said + [failed(task, failure)]
            default: return said
            }
        }
        guard taking.remove(result.id) != nil else { return nil }
        var isDiskAtFault = false
        if case .failed(let failure) = result.outcome {
            isDiskAtFault = failure.code != .stageDiffers
            said.append(.log("a stage of shard \(result.shard) that came is not kept: \(failure.message)"))
        }
        guard let assignment = assignments[result.shard], case .fetching(var fetch) = assignment.phase else {
            return said
        }
        // What was asked for before the keys changed was not counted.
        fetch.arriving = max(0, fetch.arriving - 1)
        if case .taken(let stage) = result.outcome, stage.slice > fetch.passed, !assignment.isUnusable(stage.name) {
            (fetch.stage, fetch.data) = (stage, result.stageData)
            return said + begin(assignment, fetch)
        }
        // What this disk does not take of one it takes of nobody: nothing is waited for.
        if isDiskAtFault { return said + begin(assignment, fetch) }
        assignments[result.shard]?.phase = .fetching(fetch)
        return said + (fetch.hasEnded ? endFetch(result.shard) : [])
    }

    // MARK: - For others

    mutating func hand(_ asked: CoordinatorMessage.HandTask) -> [Action] {
        if let failure = mismatch(asked.specification) { return [failed(asked.task, failure)] }
        let hand = command(
            asked.shard,
            .hand(asked.manifest, keys: asked.keys, specification: asked.specification, stage: asked.stage))
        handing[hand.id] = asked.task
        return [.storage(hand)]
    }
}
