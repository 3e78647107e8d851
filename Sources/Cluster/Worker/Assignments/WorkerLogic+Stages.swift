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
        var offer = fetch.stage.flatMap { offered($0, fetch.data, assignment) }
        if let found = offer {
            // It may answer already, since before the training could begin.
            if isGood(found.name, of: assignment.shard) { offer?.state = .offered } else { job.answering = fetch.stage }
        }
        // What was withdrawn stays so until a training from the start comes by there.
        assignment.offered = offer ?? assignment.offered.flatMap { $0.state == .withdrawn ? $0 : nil }
        assignment.begunAt = fetch.first?.name
        assignment.passed = []
        if fetch.first == nil {
            var known = evidence(of: assignment)
            known.passed = []
            evidence[assignment.shard] = known
        }
        assignment.phase = .training(job.id)
        assignments[assignment.shard] = assignment
        if offer?.state == .offered { actions += self.offer(assignment) }
        return actions + add(job)
    }

    // MARK: - Answering meanwhile

    func isGood(_ stage: String, of shard: Int) -> Bool { goodStages[shard]?.contains(stage) ?? false }

    /// - `names`: of stages that are to be believed from now on; those before that lie on the disk no more are forgotten.
    mutating func noteGood(_ names: Set<String>, of shard: Int) {
        let present = Set(copies[shard]?.stages ?? [])
        goodStages[shard] = (goodStages[shard] ?? []).intersection(present).union(names)
    }

    /// The training of a shard has to wait for its turn: what its trainings left beside the data may answer until then.
    func offerBeside(_ assignment: ShardAssignment, _ result: StorageResult) -> [Action] {
        guard assignment.isAwaited, let task = assignment.task, let stage = result.stage,
            isGood(stage.name, of: assignment.shard), let made = offered(stage, result.stageData, assignment)
        else { return [] }
        return [.send(.staged(task: task, made.report, adapter: made.adapter))]
    }

    /// A training of which no earlier part may answer has passed a stage, and it is kept: that may answer from the next step on,
    /// also if somebody begins to wait for the shard only later.
    mutating func keepPassed(_ result: StorageResult) {
        guard case .saved = result.outcome, let stage = result.stage, var assignment = assignments[result.shard],
            assignment.takesPassed, case .training = assignment.phase,
            assignment.passed.contains(stage.name), var made = offered(stage, result.stageData, assignment)
        else { return }
        made.isPassed = true
        assignment.offered = made
        assignments[result.shard] = assignment
    }

    /// The training has taken another step, and its loss was a number: so what it passed before answers with numbers.
    mutating func offerPassed(by job: JobID) -> [Action] {
        guard let shard = shard(training: job), let assignment = assignments[shard], let offered = assignment.offered,
            offered.state == .unchecked, offered.isPassed
        else { return [] }
        return offerChecked(job)
    }

    // MARK: - Beginning again

    /// A training that could not go on from what it began at begins before that.
    ///
    /// What no training can begin at is deleted, whoever made it. Where the training came to numbers that are none, either what it
    /// began at was bad or the training diverges: one from the start tells which. It leaves what it passes in the place of what
    /// lies there, so that nothing is deleted before it ends.
    ///
    /// - Returns: nil: there is no earlier, or the failure has another reason.
    mutating func beginEarlier(_ assignment: ShardAssignment, _ failure: TaskFailure) -> [Action]? {
        guard let begunAt = assignment.begunAt else { return nil }
        var assignment = assignment
        var actions: [Action]
        goodStages[assignment.shard]?.remove(begunAt)
        switch failure.code {
        case .stageDiffers:
            assignment.unusable?.insert(begunAt)
            assignment.offered = nil
            let said = "is trained from before \(begunAt), which is deleted: \(failure.message)"
            let discard = command(assignment.shard, .discard(begunAt))
            actions = [.log("shard \(assignment.shard) \(said)"), .storage(discard)]
        case .notFinite:
            var known = evidence(of: assignment)
            guard !known.passed.contains(begunAt) else { return nil }
            known.doubted.insert(begunAt)
            evidence[assignment.shard] = known
            assignment.unusable = nil
            if assignment.offered?.state == .offered {
                assignment.offered?.state = .withdrawn
            } else if assignment.offered?.state == .unchecked {
                assignment.offered = nil
            }
            let said = "shard \(assignment.shard) is trained from the start: from \(begunAt) on \(failure.message)"
            actions = [.log(said)] + offer(assignment)
        default: return nil
        }
        let update = command(assignment.shard, assignment.update(offered: []))
        assignment.begunAt = nil
        assignment.phase = .updating(update.id)
        assignments[assignment.shard] = assignment
        return actions + [.storage(update)]
    }

    /// A training has failed for good. Where it diverged from the start on, stages that it did not come to are no training's, and
    /// those that it passed are good.
    mutating func giveUp(_ assignment: ShardAssignment, _ failure: TaskFailure) -> [Action] {
        var actions: [Action] = []
        if failure.code == .notFinite, assignment.begunAt == nil, assignment.correction == nil {
            evidence[assignment.shard]?.doubted = []
            let passed = evidence(of: assignment).passed
            actions.append(.storage(command(assignment.shard, .discardAllBut(passed))))
        }
        return actions + fail(shard: assignment.shard, failure)
    }

    /// A training came by a stage or a checkpoint. One from the start, or from what such a one left, leaves it in the place of what
    /// was doubted, and what was withdrawn may answer again as it is now.
    mutating func passed(_ stage: TrainingStage, of shard: Int) -> [Action] {
        guard var assignment = assignments[shard] else { return [] }
        var known = evidence(of: assignment)
        guard assignment.begunAt.map({ known.passed.contains($0) }) ?? true else { return [] }
        known.passed.insert(stage.name)
        known.doubted.remove(stage.name)
        evidence[shard] = known
        guard let before = assignment.offered, before.state == .withdrawn, before.name == stage.name,
            var again = offered(stage, before.data, assignment)
        else { return [] }
        (again.state, again.isPassed) = (.offered, before.isPassed)
        assignment.offered = again
        assignments[shard] = assignment
        return offer(assignment)
    }

    /// Whether it has to begin at the start, because something that lies there was found to lead nowhere.
    func isDoubted(_ assignment: ShardAssignment) -> Bool { !evidence(of: assignment).doubted.isEmpty }

    private func evidence(of assignment: ShardAssignment) -> StageEvidence {
        evidence[assignment.shard].flatMap { $0.isOf(assignment) ? $0 : nil } ?? StageEvidence(assignment)
    }

    private func offered(
        _ stage: TrainingStage, _ data: StageData?, _ assignment: ShardAssignment
    ) -> OfferedStage? {
        guard let data,
            let made = stage.trained(on: data, model: executor.model, specification: assignment.specification)
        else { return nil }
        return OfferedStage(
            name: stage.name, data: data, report: made.report, adapter: made.adapter.safetensorsBytes())
    }

    /// The compute thread found that the stage counts what it should, and answers with numbers: nobody else would look. It looks
    /// before the first step.
    mutating func offerChecked(_ job: JobID) -> [Action] {
        guard let shard = shard(training: job), assignments[shard]?.offered?.state == .unchecked else { return [] }
        assignments[shard]?.offered?.state = .offered
        if let name = assignments[shard]?.offered?.name { noteGood([name], of: shard) }
        return assignments[shard].map(offer) ?? []
    }

    /// Hands the stage that the training begins at to the coordinator, once it is checked: it may answer until the training is
    /// done. Or takes it back, also if the training is another worker's by now.
    func offer(_ assignment: ShardAssignment) -> [Action] {
        guard let offered = assignment.offered else { return [] }
        switch offered.state {
        case .unchecked: return []
        case .offered:
            guard let task = assignment.task, case .training = assignment.phase, assignment.isToOffer(offered) else {
                return []
            }
            return [.send(.staged(task: task, offered.report, adapter: offered.adapter))]
        case .withdrawn: return [.send(.withdrawn(task: assignment.id, stage: offered.report.adapter))]
        }
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
        // Who asks for a stage is told what is left in any case: what was said before may have been lost with a connection.
        let isAsked = handing[result.id] != nil
        if let copy = result.copy, isAsked || copy != before { said.append(.send(.holds(copy))) }
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
