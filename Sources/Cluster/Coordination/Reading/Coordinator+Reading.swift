import Messages

/// Evaluations and verifications read what the cluster has: they wait until everything is up to date, are worked off in
/// parts, and start anew when data or adapters change under them.
extension Coordinator {
    /// Evaluations and verifications start anew: the data or the adapters are others now.
    mutating func restartReadingOperations() {
        for operation in operations where operation.state == .running {
            switch operation.work {
            case .evaluate(let evaluation) where evaluation.isLoading || evaluation.digests != nil:
                restart(operation.id)
            case .verify(let verification) where verification.isLoading || verification.items != nil:
                restart(operation.id)
            case .compare(let comparison) where comparison.isLoading || comparison.loaded != nil:
                restart(operation.id)
            default: break
            }
        }
    }

    mutating func restart(_ id: String) {
        guard let operation = operation(id), operation.state == .running else { return }
        guard operation.generation < CoordinatorLimits.restarts else {
            return failOperation(id, .dataKeepsChanging)
        }
        let pause = now.advanced(bySeconds: CoordinatorLimits.staleSeconds)
        clearWork(of: id)
        update(id) { $0.notBefore = pause }
    }

    /// Whether a reading operation may start: everything is as it will stay. An error that stands in the way ends it.
    mutating func mayRead(_ operation: Operation) -> Bool {
        if let error = exhausted(among: \.isForAdapters) {
            failOperation(operation.id, error)
            return false
        }
        return isUpToDate && operation.notBefore ?? now <= now
    }

    // MARK: parts

    func isCurrent(_ part: OperationPart) -> Bool {
        guard let operation = operation(part.operation) else { return false }
        return operation.state == .running && operation.generation == part.generation
    }

    mutating func putBack(_ part: OperationPart) {
        guard isCurrent(part) else { return }
        update(part.operation) {
            switch ($0.work, part.item) {
            case (.evaluate(var evaluation), let item):
                evaluation.todo.insert(item, at: 0)
                $0.work = .evaluate(evaluation)
            case (.verify(var verification), .replay(let position)):
                verification.todo.insert(position, at: 0)
                $0.work = .verify(verification)
            case (.compare(var comparison), .compare(let position)):
                comparison.todo.insert(position, at: 0)
                $0.work = .compare(comparison)
            default: break
            }
        }
    }

    /// The parts of operations by what they ask of a worker: a moment, or all of it for as long as a training takes.
    enum PartKind { case chunk, singleTraining, replay }

    /// The next part of a kind that the worker may do.
    mutating func nextPart(_ kind: PartKind, for worker: KnownWorker) -> OperationPart? {
        for operation in operations
        where operation.state == .running && isWelcome(worker, for: .operation(operation.id)) {
            let item: OperationPart.Item?
            switch operation.work {
            case .evaluate(var evaluation) where kind != .replay:
                let position = evaluation.todo.firstIndex { ($0 == .single) == (kind == .singleTraining) }
                item = position.map { evaluation.todo.remove(at: $0) }
                update(operation.id) { $0.work = .evaluate(evaluation) }
            case .verify(var verification) where kind == .replay:
                item = nextReplay(&verification, for: worker).map { .replay($0) }
                update(operation.id) { $0.work = .verify(verification) }
            default: item = nil
            }
            if let item {
                return OperationPart(operation: operation.id, generation: operation.generation, item: item)
            }
        }
        return nil
    }

    func message(for part: OperationPart, task: TaskID) -> Dispatch? {
        guard let operation = operation(part.operation) else { return nil }
        switch operation.work {
        case .evaluate(let evaluation): return message(for: part.item, of: evaluation, task: task)
        case .verify(let verification): return message(for: part.item, of: verification, task: task)
        case .train, .forget, .compare: return nil
        }
    }

    mutating func replayed(
        _ part: OperationPart, report: TrainingReport, adapter: [UInt8], task: CoordinatorTask,
        by worker: KnownWorker
    ) {
        guard let operation = operation(part.operation), isCurrent(part) else { return }
        tasks.removeAll { $0.id == task.id }
        succeeded(.operation(operation.id))
        switch (operation.work, part.item) {
        case (.evaluate(let evaluation), .single):
            singleTrained(evaluation, of: operation, report: report, adapter: adapter)
        case (.verify(let verification), .replay(let position)):
            replayed(position, of: verification, in: operation, report: report, by: worker)
        default: break
        }
    }
}
