import Messages

/// Evaluations, verifications and comparisons read what the cluster has, and are worked off in parts. Evaluations and
/// comparisons wait until everything is up to date and start anew when data or adapters change under them; an evaluation then
/// keeps what it scored under adapters that are still there. Verifications go on shard by shard.
extension Coordinator {
    /// Evaluations and comparisons start anew: the data or the adapters are others now. An evaluation that stays with its
    /// adapters does so where one of these is gone.
    ///
    /// - Parameter gone: content names of adapters that are not there any more.
    mutating func restartReadingOperations(gone: Set<String>) {
        for operation in operations.readers where operation.state == .running {
            switch operation.course {
            case .evaluate(let evaluation) where evaluation.hasBegun:
                if let pinned = evaluation.pinned, !pinned.contains(where: { gone.contains($0.name) }) { continue }
                restart(operation.id)
            case .compare(let comparison) where comparison.hasBegun: restart(operation.id)
            default: break
            }
        }
    }

    mutating func restart(_ id: String) {
        guard let operation = operation(id), operation.state == .running else { return }
        let isEvaluation = if case .evaluate = operation.course { true } else { false }
        guard isEvaluation || operation.generation < CoordinatorLimits.restarts else {
            return failOperation(id, .dataKeepsChanging)
        }
        let pause = now.advanced(bySeconds: CoordinatorLimits.staleSeconds)
        clearWork(of: id, keepingScores: true)
        let measured = operation.measured
        let adapters = Set(snapshot.shards.compactMap(\.adapter?.name))
        let basis = trainingBasis
        update(id) {
            guard case .evaluate(var evaluation) = $0.course else { return }
            evaluation.kept?.drop(allBut: adapters, basis: basis)
            if $0.generation > CoordinatorLimits.freshStarts, evaluation.pinned == nil { evaluation.pinned = measured }
            evaluation.pinned?.removeAll { !adapters.contains($0.name) }
            if evaluation.pinned?.isEmpty == true { evaluation.pinned = nil }
            $0.course = .evaluate(evaluation)
        }
        update(id) { $0.phase = .resting(until: pause) }
        alarms.add(.anything, at: pause)
    }

    /// Whether a reading operation may start: everything is as it will stay, or forget requests keep it from being so and an
    /// evaluation has waited for long enough. An error that stands in the way ends it.
    mutating func mayRead(_ operation: Operation) -> Bool {
        if case .evaluate(let evaluation) = operation.course, isToBePinned(operation, evaluation) {
            var pinned = evaluation
            pinned.pinned = evaluation.pinned ?? activeAdapters
            update(operation.id) { $0.course = .evaluate(pinned) }
            return hasRested(operation)
        }
        if let error = exhausted(among: \.isForAdapters) {
            failOperation(operation.id, error)
            return false
        }
        guard isSettled else { return false }
        return hasRested(operation)
    }

    private func isToBePinned(_ operation: Operation, _ evaluation: Evaluation) -> Bool {
        if evaluation.pinned != nil { return true }
        guard !index.named.isEmpty, !isSettled else { return false }
        if operation.generation > CoordinatorLimits.freshStarts { return true }
        return now.seconds(since: operation.started) >= CoordinatorLimits.evaluationSeconds
            && pendingForgets.newest != nil && !isPartitionDue && !snapshot.isImporting
            && index.lagging.allSatisfy { shard($0).map(isForgetting) ?? true }
    }

    private mutating func hasRested(_ operation: Operation) -> Bool {
        if case .resting(let until) = operation.phase {
            guard until <= now else { return false }
            update(operation.id) { $0.phase = .running }
        }
        return true
    }

    // MARK: parts

    func isCurrent(_ part: OperationPart) -> Bool {
        guard let operation = operation(part.operation) else { return false }
        return operation.state == .running && operation.generation == part.generation
    }

    mutating func putBack(_ part: OperationPart) {
        guard isCurrent(part) else { return }
        update(part.operation) {
            switch part.item {
            case .replay(let position): $0.setReplays { $0.todo.insert(position, at: 0) }
            case .compare(let position): $0.setCases { $0.todo.insert(position, at: 0) }
            case .embed, .score, .single: $0.setScoring { $0.todo.insert(part.item, at: 0) }
            }
        }
    }

    /// Takes a part out of what is to be given out again.
    ///
    /// - Returns: whether it was there.
    mutating func takeOut(_ part: OperationPart) -> Bool {
        guard isCurrent(part) else { return false }
        var found = false
        func take<Item: Equatable>(_ item: Item, from todo: inout [Item]) {
            guard let position = todo.firstIndex(of: item) else { return }
            todo.remove(at: position)
            found = true
        }
        update(part.operation) {
            switch part.item {
            case .replay(let position): $0.setReplays { take(position, from: &$0.todo) }
            case .compare(let position): $0.setCases { take(position, from: &$0.todo) }
            case .embed, .score, .single: $0.setScoring { take(part.item, from: &$0.todo) }
            }
        }
        return found
    }

    /// The parts of operations by what they ask of a worker: a moment, or all of it for as long as a training takes.
    enum PartKind { case chunk, singleTraining, replay }

    /// The next part of a kind that the worker may do.
    mutating func nextPart(_ kind: PartKind, for worker: KnownWorker) -> OperationPart? {
        for operation in operations.readers
        where operation.state == .running && !isPaused(.operation(operation.id)) {
            let item: OperationPart.Item?
            if kind != .replay, var scoring = operation.scoring {
                guard isWelcome(worker.id, for: .operation(operation.id)) else { continue }
                let position = scoring.todo.firstIndex { ($0 == .single) == (kind == .singleTraining) }
                item = position.map { scoring.todo.remove(at: $0) }
                update(operation.id) { $0.setScoring { $0 = scoring } }
            } else if kind == .replay, var replays = operation.replays {
                item = nextReplay(&replays, of: operation.id, for: worker).map { .replay($0) }
                update(operation.id) { $0.setReplays { $0 = replays } }
            } else {
                item = nil
            }
            if let item {
                return OperationPart(operation: operation.id, generation: operation.generation, item: item)
            }
        }
        return nil
    }

    /// Whether a chunk of an evaluation waits that the worker may do.
    func hasChunkOfOperation(for worker: KnownWorker) -> Bool {
        operations.readers.contains { operation in
            operation.state == .running && !isPaused(.operation(operation.id))
                && isWelcome(worker.id, for: .operation(operation.id))
                && operation.scoring?.todo.contains { $0 != .single } == true
        }
    }

    func message(for part: OperationPart, task: TaskID) -> Dispatch? {
        guard let operation = operation(part.operation) else { return nil }
        if let scoring = operation.scoring { return message(for: part.item, of: scoring, task: task) }
        return operation.replays.flatMap { message(for: part.item, of: $0, task: task) }
    }

    mutating func replayed(
        _ part: OperationPart, report: TrainingReport, adapter: [UInt8], task: CoordinatorTask,
        by worker: KnownWorker
    ) {
        guard let operation = operation(part.operation), isCurrent(part) else { return }
        tasks.remove(task.id)
        succeeded(.operation(operation.id))
        switch part.item {
        case .single: singleTrained(operation, report: report, adapter: adapter)
        case .replay(let position): replayed(position, in: operation, report: report, by: worker)
        case .embed, .score, .compare: break
        }
    }
}

extension Operation {
    /// What an evaluation measures; nil: it has not begun to score.
    var measured: [ActiveAdapter]? {
        guard case .evaluate(let evaluation) = course else { return nil }
        switch evaluation.phase {
        case .scoring(let scoring), .building(let scoring): return scoring.measured
        case .waiting, .loading: return evaluation.pinned
        }
    }

    /// nil: not an evaluation that is being scored.
    var scoring: EvaluationScoring? {
        guard case .evaluate(let evaluation) = course, case .scoring(let scoring) = evaluation.phase else { return nil }
        return scoring
    }

    /// nil: not a verification that has begun to replay.
    var replays: Verification.Replays? {
        guard case .verify(let verification) = course, case .replaying(let replays) = verification.phase else {
            return nil
        }
        return replays
    }

    /// nil: not a comparison whose cases are known.
    var cases: Comparison.Cases? {
        guard case .compare(let comparison) = course, case .comparing(let cases) = comparison.phase else { return nil }
        return cases
    }

    /// Taken out for as long as it is changed: what it holds of every prompt is not copied with each change.
    mutating func setScoring(_ change: (inout EvaluationScoring) -> Void) {
        guard case .evaluate(var evaluation) = course, case .scoring(var scoring) = evaluation.phase else { return }
        evaluation.phase = .waiting
        course = .evaluate(evaluation)
        change(&scoring)
        evaluation.phase = .scoring(scoring)
        course = .evaluate(evaluation)
    }

    mutating func setReplays(_ change: (inout Verification.Replays) -> Void) {
        guard case .verify(var verification) = course, case .replaying(var replays) = verification.phase else { return }
        change(&replays)
        verification.phase = .replaying(replays)
        course = .verify(verification)
    }

    mutating func setCases(_ change: (inout Comparison.Cases) -> Void) {
        guard case .compare(var comparison) = course, case .comparing(var cases) = comparison.phase else { return }
        change(&cases)
        comparison.phase = .comparing(cases)
        course = .compare(comparison)
    }

    mutating func setPhase(_ phase: Evaluation.Phase) {
        guard case .evaluate(var evaluation) = course else { return }
        evaluation.phase = phase
        course = .evaluate(evaluation)
    }

    mutating func setPhase(_ phase: Verification.Phase) {
        guard case .verify(var verification) = course else { return }
        verification.phase = phase
        course = .verify(verification)
    }

    mutating func setPhase(_ phase: Comparison.Phase) { setComparison { $0.phase = phase } }

    mutating func setComparison(_ change: (inout Comparison) -> Void) {
        guard case .compare(var comparison) = course else { return }
        change(&comparison)
        course = .compare(comparison)
    }
}
