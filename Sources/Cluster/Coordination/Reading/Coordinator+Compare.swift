import Messages

/// Comparisons of unlearning methods: the least urgent work there is.
extension Coordinator {
    mutating func advance(_ comparison: Comparison, of operation: Operation) {
        switch comparison.phase {
        case .waiting:
            guard mayRead(operation) else { return }
            update(operation.id) { $0.setPhase(Comparison.Phase.loading) }
            actions.append(.loadComparison(operation: operation.id, comparison.options))
        case .loading: break
        case .comparing(let cases):
            if let error = exhausted(among: { $0 == .operation(operation.id) }) {
                return failOperation(operation.id, error)
            }
            guard cases.done == cases.count else { return }
            endOperation(operation.id, .comparison(cases.found))
        }
    }

    mutating func comparisonLoaded(_ id: String, _ result: Result<LoadedComparison, ClientError>) {
        guard let operation = operation(id), operation.state == .running,
            case .compare(let comparison) = operation.course, case .loading = comparison.phase
        else { return }
        switch result {
        case .failure(let error) where error.code == .stale: restart(id)
        case .failure(let error): failOperation(id, error)
        case .success(let loaded):
            let cases = Comparison.Cases(loaded, kept: comparison.options.kept ?? [])
            update(id) { $0.setPhase(Comparison.Phase.comparing(cases)) }
        }
    }

    // MARK: giving out

    /// The next case for a worker that has nothing else to do.
    mutating func giveComparison(to worker: KnownWorker) {
        guard let peer = worker.peer, hasOnlyCopies(worker.id), shardToTrain(by: worker) == nil else { return }
        for operation in operations.readers
        where operation.state == .running && isWelcome(worker.id, for: .operation(operation.id)) {
            guard case .compare(let comparison) = operation.course, let cases = operation.cases,
                let position = cases.todo.first, worker.comparedMethods.isSuperset(of: comparison.options.methods)
            else { continue }
            update(operation.id) { $0.setCases { $0.todo.removeFirst() } }
            let part = OperationPart(
                operation: operation.id, generation: operation.generation, item: .compare(position))
            let id = give(.part(part), to: worker)
            return dispatch(
                .compare(task: id, comparison.options, position: position, basis: cases.basis), to: peer)
        }
    }

    /// A case may take long: a worker that has a shard to train gives its case up, and one of them does where rows,
    /// evaluations or verifications wait and every worker is busy with a case. The one that has done least begins anew later.
    mutating func yieldComparisons() {
        let comparing = tasks.filter { $0.isComparison && $0.awaitedUntil == nil }
        guard !comparing.isEmpty else { return }
        for task in comparing {
            guard let worker = roster[task.worker], shardToTrain(by: worker) != nil else { continue }
            withdraw(task)
        }
        let busy = tasks.filter { $0.isComparison && $0.awaitedUntil == nil }
        let waiting = otherWaitingWork
        guard !waiting.isEmpty, !roster.hasWorking(where: { worker in !busy.contains { $0.worker == worker.id } })
        else {
            return
        }
        // One that may do the work: else it would be given its case again at once.
        let able = busy.filter { task in
            waiting.contains { isWelcome(task.worker, for: $0) }
        }
        if let least = able.min(by: { $0.share < $1.share }) { withdraw(least) }
    }

    private mutating func withdraw(_ task: CoordinatorTask) {
        remove(task)
        if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
    }

    /// What is more urgent and waits for any worker.
    private var otherWaitingWork: [WorkItem] {
        let missing = wantedValues.filter { kind in
            mayCompute(kind) && backlogs[kind]?.pending.isEmpty == false
        }
        let reading = operations.readers.filter { operation in
            guard operation.state == .running else { return false }
            return !(operation.scoring?.todo.isEmpty ?? true) || !(operation.replays?.todo.isEmpty ?? true)
        }
        return missing.map(WorkItem.values) + reading.map { .operation($0.id) }
    }

    // MARK: answers

    mutating func compared(_ id: TaskID, _ report: ComparisonReport, by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        guard case .part(let part) = task.kind, isCurrent(part), let position = part.comparisonCase,
            report.isFinite
        else { return failed(id, .badReport, by: worker) }
        tasks.remove(id)
        succeeded(task.work)
        update(part.operation) {
            $0.setCases {
                guard $0.found.reports.indices.contains(position) else { return }
                $0.found.reports[position] = report
            }
        }
    }

    /// What a client that keeps cases asks for again and again: also while others are under way.
    mutating func tellCases(_ wanted: ClientRequest.ComparedCasesRequest, to ticket: ClientTicket) {
        guard let operation = operation(wanted.operation) else {
            return reply(ticket, .unknownOperation(wanted.operation))
        }
        guard case .compare = operation.course else { return reply(ticket, .failure(.noComparison(operation.id))) }
        let portion = operation.foundCases?.portion(without: Set(wanted.known))
        reply(ticket, .comparedCases(report(operation), portion ?? ComparedCases()))
    }

    // MARK: status

    /// For people: cases done, and where those under way are.
    func comparisonActivity(of operation: Operation) -> String {
        guard let cases = operation.cases else { return activity }
        let under = tasks(of: operation).compactMap { task in
            task.progress.map { "\($0.step) of \($0.steps)" }
        }
        return "comparing methods, \(cases.done) of \(cases.count) cases done"
            + (under.isEmpty ? "" : "; under way, rows: \(under.joined(separator: ", "))")
            + (waitsForNewer(cases, of: operation) ? Self.olderText : "")
    }

    private func waitsForNewer(_ cases: Comparison.Cases, of operation: Operation) -> Bool {
        guard case .compare(let comparison) = operation.course else { return false }
        return !cases.todo.isEmpty && roster.workingCount > 0
            && !roster.hasWorking { $0.comparedMethods.isSuperset(of: comparison.options.methods) }
    }

    func comparisonFraction(of operation: Operation) -> Double {
        guard let cases = operation.cases, cases.count > 0 else { return 0 }
        let under = tasks(of: operation).reduce(0) { $0 + $1.share }
        return (Double(cases.done) + 0.99 * under) / Double(cases.count)
    }

    private func tasks(of operation: Operation) -> [CoordinatorTask] {
        tasks.filter { task in
            guard case .part(let part) = task.kind else { return false }
            return part.operation == operation.id && part.generation == operation.generation
        }
    }
}

extension ClientError {
    package static func invalidComparison(_ error: any Error) -> ClientError {
        ClientError(code: .invalidRequest, message: "\(error)")
    }

    static func noComparison(_ id: String) -> ClientError {
        ClientError(code: .invalidRequest, message: "operation \(id) is no comparison of methods")
    }
}
