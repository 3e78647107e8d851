import Messages

/// What people are told: reports of operations, and the status of everything.
extension Coordinator {
    /// - Parameter activity: `activity`, where many operations are told of.
    func report(_ operation: Operation, activity: String? = nil) -> OperationReport {
        let (progress, fraction): (String, Double) =
            switch operation.state {
            case .done: ("done", 1)
            case .failed: ("failed", self.fraction(of: operation))
            case .running: (self.activity(of: operation, general: activity), self.fraction(of: operation))
            }
        return OperationReport(
            id: operation.id, kind: operation.kind, state: operation.state, progress: progress, fraction: fraction,
            error: operation.error)
    }

    private func activity(of operation: Operation, general: String?) -> String {
        var activity: String { general ?? self.activity }
        if operation.isCommitting { return "being written to the ledger" }
        if let obstacle { return obstacle }
        if let wait = lastWait(of: operation) { return "waiting for \(wait)" }
        switch operation.course {
        case .evaluate(let evaluation):
            if case .building = evaluation.phase { return "computing metrics" }
            guard let scoring = operation.scoring else { return activity }
            let line = "scoring, \(scoring.done) of \(scoring.parts) parts"
            let single = tasks.first { task in
                guard case .part(let part) = task.kind else { return false }
                return part.operation == operation.id && part.item == .single
            }
            return single.map { "\(line); training one adapter on all data\($0.progressText)" } ?? line
        case .verify(let verification):
            guard let replays = operation.replays else { return activity }
            let under = tasks.filter { task in
                guard case .part(let part) = task.kind else { return false }
                return part.operation == operation.id
            }
            let what = verification.stages == nil ? "shards" : "slices"
            return "replaying, \(replays.done) of \(replays.items.count) \(what)" + (under.first?.progressText ?? "")
                + (waitsForNewer(replays) ? Self.olderText : "")
        case .compare: return comparisonActivity(of: operation)
        case .forget where isWaitingForCopies(operation.id):
            return "waiting for workers to delete forgotten data"
        default: return activity
        }
    }

    /// Why the work that results of workers end in does not go on, if so.
    private var obstacle: String? {
        if let error = WorkerResult.allCases.lazy.compactMap({ writes.obstacle(to: $0) }).first {
            return "waiting for the ledger: \(error.message)"
        }
        if roster.workingCount > 0 { return nil }
        return roster.liveCount == 0
            ? "waiting for a worker" : "waiting for a worker that takes work: those that are here are paused or leave"
    }

    /// What a forget request whose shards are retrained still waits for, unless it is copies, which have a line of their own.
    private func lastWait(of operation: Operation) -> String? {
        guard case .forget(let forgetting) = operation.course, let pending = pendingForget(operation.id),
            pending.waitingFor.isEmpty, copiesAreSettled(forgetting, of: operation.id)
        else { return nil }
        return waits(of: pending).first
    }

    /// What is being done for data and adapters, one line for people.
    var activity: String {
        let corrections = tasks.ids(about: .correction)
        if !corrections.isEmpty { return "correcting " + list(corrections) }
        let trainings = tasks.ids(about: .training)
        if !trainings.isEmpty { return "training " + list(trainings) }
        if snapshot.isImporting { return "taking an import in" }
        let lagging = index.lagging.sorted().compactMap(shard)
        if needsEmbeddings, isPartitionDue || lagging.isEmpty {
            return "embedding prompts, \(snapshot.missingEmbeddings) left"
        }
        if isPartitionDue { return "partitioning \(snapshot.unassignedPrompts) prompts" }
        if !failures.isEmpty, let resting = lagging.first(where: { isPaused($0.work) }) {
            return "shard \(resting.index) rests after failed trainings, then is tried again"
        }
        if !lagging.isEmpty { return "training is about to begin" }
        if missesValues {
            let margins = snapshot.shards.reduce(0) { $0 + ($1.adapter?.missingMargins ?? 0) }
            if margins > 0 { return "scoring validation prompts, \(margins) left" }
        }
        if !isTuned { return "tuning the attention" }
        return isUpToDate ? "up to date" : "writing to the ledger"
    }

    /// "shard 1: step 3 of 8; shard 4", and of many the number of the others.
    private func list(_ ids: [TaskID]) -> String {
        let named = ids.prefix(CoordinatorLimits.namedTasks).compactMap { tasks[$0] }.compactMap { task -> String? in
            guard let shard = task.shardOfCopy else { return nil }
            let isTraining = if case .train = task.kind { true } else { false }
            let isBridged = isTraining && self.shard(shard)?.isBridged ?? false
            let stage = isTraining ? self.shard(shard).flatMap(answering)?.stage : nil
            let serving = isBridged ? " (an approximate adapter serves)" : stage.map { " (stage \($0) serves)" } ?? ""
            return "shard \(shard)\(serving)\(task.progressText)"
        }
        let others = ids.count - named.count
        return named.joined(separator: "; ") + (others > 0 ? "; and \(others) more" : "")
    }

    /// Everything is trained, but workers at hand have not confirmed their deletions.
    private func isWaitingForCopies(_ request: String) -> Bool {
        let isTrained = pendingForget(request)?.waitingFor.isEmpty ?? false
        return isTrained && unconfirmed(request).contains { roster.isLive($0.worker) }
    }

    private func fraction(of operation: Operation) -> Double {
        switch operation.course {
        case .evaluate(let evaluation):
            switch evaluation.phase {
            case .waiting, .loading: 0
            case .scoring(let scoring): scoring.parts == 0 ? 0 : Double(scoring.done) / Double(scoring.parts)
            case .building: 1
            }
        case .verify:
            operation.replays.map { replays in
                replays.items.isEmpty ? 1 : Double(replays.done) / Double(replays.items.count)
            } ?? 0
        case .compare: comparisonFraction(of: operation)
        case .train: trainedFraction(of: snapshot.shards.filter { $0.prompts > 0 })
        case .forget(let forgetting):
            switch forgetting.outcome {
            case .known(let outcome): trainedFraction(of: outcome.waitingFor.compactMap(shard))
            case .unknown: trainedFraction(of: (pendingForget(operation.id)?.waitingFor ?? []).compactMap(shard))
            }
        }
    }

    /// Share of the training that is done; the rows after it count for a tenth.
    private func trainedFraction(of shards: [LedgerSnapshot.Shard]) -> Double {
        guard !shards.isEmpty else { return 0 }
        let parts = shards.map { shard -> Double in
            if shard.isCurrent {
                let missing = shard.adapter?.missingMargins ?? 0
                let all = max(1, snapshot.referencePrompts)
                return 0.9 + 0.1 * (1 - Double(min(missing, all)) / Double(all))
            }
            guard let progress = taskOnShard(shard.index)?.progress, progress.steps > 0 else { return 0 }
            return 0.9 * min(1, max(0, Double(progress.step) / Double(progress.steps)))
        }
        return parts.reduce(0, +) / Double(parts.count)
    }

    // MARK: status

    /// What the value knows; the ledger's statistics are the service's to add.
    package func status(at now: CoordinatorInstant) -> StatusReport {
        let adapters = snapshot.shards.compactMap(\.adapter)
        let activity = activity
        var tasksOfShards: Set<Int> = []
        for task in tasks { if case .train(let shard, _) = task.kind { tasksOfShards.insert(shard) } }
        var whole = StatusReport(
            cluster: settings.cluster, base: settings.configuration.training.base,
            precision: settings.configuration.training.precision.rawValue, arithmetic: arithmetic,
            activity: obstacleToWork ?? activity, workers: roster.workers.map { workerStatus($0, at: now) },
            shards: snapshot.shards.map { shardStatus($0, isTraining: tasksOfShards.contains($0.index)) },
            operations: listedOperations.map { report($0, activity: activity) }, operationsTotal: operations.count,
            pendingForgets: pendingForgets.first(CoordinatorLimits.listed).map { pending in
                StatusReport.PendingForget(
                    request: pending.id, method: pending.method.rawValue, bridge: pending.bridge?.rawValue,
                    waitingFor: pending.waitingFor, unconfirmed: unconfirmed(pending.id), waits: waits(of: pending))
            }, pendingForgetsTotal: pendingForgets.count,
            disputes: disputes, stuck: stuckDuties, tuned: snapshot.isTuned,
            data: StatusReport.PromptCounts(
                trainPrompts: snapshot.trainingPrompts, validationPrompts: snapshot.validationPrompts,
                testPrompts: snapshot.testPrompts, missingEmbeddings: snapshot.missingEmbeddings,
                missingMargins: adapters.map(\.missingMargins).reduce(0, +)))
        whole.expectedWorkers = settings.expectedWorkers
        whole.trainedTokens = trainedTokens
        return whole
    }

    /// Of many those that run and are no forget requests, then the oldest forget requests, then those that ended last; in the
    /// order in which they came.
    private var listedOperations: [Operation] {
        operations.first(CoordinatorLimits.listed)
    }

    /// An idle cluster without workers is not waiting for any.
    private var obstacleToWork: String? {
        isUpToDate && !operations.hasRunning ? nil : obstacle
    }

    private func workerStatus(_ worker: KnownWorker, at now: CoordinatorInstant) -> StatusReport.Worker {
        var status = StatusReport.Worker(
            id: worker.id, name: worker.name, state: worker.isLive ? .live : .away,
            lastSeenSeconds: max(0, now.seconds(since: worker.lastHeard)), threads: worker.threads,
            shards: owned(by: worker.id), holds: worker.copies.map(\.shard),
            copies: worker.copies.map { copy in
                let current = self.shard(copy.shard)?.manifest
                return StatusReport.Copy(
                    shard: copy.shard, manifests: copy.manifests, isCurrent: current.map(copy.isExactly) ?? false)
            },
            tasks: tasks.tasks(of: worker.id).map(\.status))
        status.process = worker.process
        status.address = worker.address
        status.release = worker.release
        let isOlder = worker.protocolVersion < CoordinatorLimits.protocolVersion
        status.protocolVersion = isOlder ? worker.protocolVersion : nil
        status.uptimeSeconds = worker.isLive ? worker.started.map { max(0, now.seconds(since: $0)) } : nil
        status.awaySeconds = worker.away.map { max(0, now.seconds(since: $0.since)) }
        status.awayBecause = worker.away?.reason
        status.duty = worker.duty
        status.isLeaving = worker.isLeaving
        status.isEphemeral = worker.isEphemeral
        status.tokensPerSecond = worker.pace.measured
        return status
    }

    private func owned(by worker: String) -> [Int] {
        (index.owned[worker] ?? []).filter { owners[$0] == worker }.sorted()
    }

    private func shardStatus(_ recorded: LedgerSnapshot.Shard, isTraining: Bool) -> StatusReport.Shard {
        var shard = recorded
        shard.adapter = answering(for: recorded)
        let corrected = shard.adapter?.corrected
        let state: StatusReport.Shard.State =
            if shard.prompts == 0 {
                .empty
            } else if shard.isCurrent {
                corrected == nil ? .current : .approximate
            } else if shard.isBridged {
                .bridged
            } else if shard.adapter == nil && shard.damage != nil {
                .damaged
            } else if shard.correction != nil {
                .correcting
            } else if isTraining {
                .training
            } else if shard.isStaged {
                // Queries use it, whoever waits.
                .outdated
            } else if isForgetting(shard) {
                .quarantined
            } else if shard.adapter != nil {
                .outdated
            } else {
                .untrained
            }
        let owner = owners[shard.index].flatMap { roster[$0] }
        return StatusReport.Shard(
            shard: shard.index, state: state, prompts: shard.prompts, manifest: shard.manifest,
            adapter: shard.adapter?.name,
            method: shard.adapter.map { _ in corrected?.method.rawValue ?? ForgetMethod.apa.rawValue
            },
            exact: shard.adapter.map { _ in corrected == nil },
            approximateSince: corrected?.since.timeIntervalSince1970, corrections: corrected?.corrections,
            fallback: shard.fallback?.description, damage: shard.adapter == nil ? shard.damage?.description : nil,
            prepared: isPrepared(shard),
            missingMargins: shard.adapter?.missingMargins,
            quarantinedSince: shard.quarantinedSince?.timeIntervalSince1970, owner: owner?.id,
            held: owner?.holds(shard: shard.index, manifest: shard.manifest) ?? false, likes: shard.likes,
            trainingSeconds: shard.secondsPerPrompt.map { $0 * Double(shard.prompts) }, stage: shard.adapter?.stage,
            slices: settings.configuration.training.slices > 1 ? settings.configuration.training.slices : nil)
    }
}

extension CoordinatorTask {
    /// ": step 14 of 64, loss 0.693, 812 tokens/s, about 35 s left", ": 14 of 64" of what is no training, or nothing.
    var progressText: String {
        guard let progress else { return "" }
        guard progress.tokensPerSecond != 0 else { return ": \(progress.step) of \(progress.steps)" }
        let loss = (progress.loss * 1000).rounded() / 1000
        let unkept = unkept.map { "; \($0)" } ?? ""
        return ": step \(progress.step) of \(progress.steps), loss \(loss), "
            + "\(whole(progress.tokensPerSecond)) tokens/s, about \(whole(progress.secondsRemaining)) s left\(unkept)"
    }

    private var unkept: String? { progress?.unkept?.clipped.printable }

    /// Numbers come from outside: also those that fit no integer.
    private func whole(_ value: Double) -> String {
        Int(exactly: value.rounded()).map(String.init) ?? "?"
    }

    var status: StatusReport.Task {
        let kind: String
        var shard: Int?
        switch self.kind {
        case .train(let index, _): (kind, shard) = ("train", index)
        case .correct(let index, _): (kind, shard) = ("correct", index)
        case .prepare(let index, _, _): (kind, shard) = ("prepare", index)
        case .copy(let index, _): (kind, shard) = ("keep", index)
        case .check(let index, _): (kind, shard) = ("check", index)
        case .values(.embeddings, _): kind = "embed"
        case .values(.margins, _): kind = "reference"
        case .part(let part):
            kind =
                switch part.item {
                case .embed: "embed"
                case .score: "score"
                case .single, .replay: "replay"
                case .compare: "compare"
                }
        }
        var (name, operation): (String, String?) = (work.description, nil)
        if case .part(let part) = self.kind { (name, operation) = ("\(kind) for an operation", part.operation) }
        var task = StatusReport.Task(
            kind: kind, shard: shard, description: name + progressText, step: progress?.step,
            steps: progress?.steps, loss: progress?.loss, tokensPerSecond: progress?.tokensPerSecond,
            secondsRemaining: progress?.secondsRemaining, unkept: unkept)
        task.operation = operation
        return task
    }
}
