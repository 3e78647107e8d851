import Messages

/// Comparisons of unlearning methods: the least urgent work there is.
extension Coordinator {
    mutating func advance(_ comparison: Comparison, of operation: Operation) {
        guard !endsUnattended(comparison, operation.id) else { return }
        switch comparison.phase {
        case .waiting:
            guard mayRead(operation) else { return }
            update(operation.id) { $0.setPhase(Comparison.Phase.loading) }
            actions.append(.loadComparison(operation: operation.id, comparison.options))
        case .loading, .stopped: break
        case .comparing(let cases):
            guard cases.areOver else { return }
            if cases.done == 0, let error = cases.found.failures.lazy.compactMap(\.self).first {
                return stopComparison(operation.id, error)
            }
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
        where operation.state == .running && !isPaused(.operation(operation.id)) {
            guard case .compare(let comparison) = operation.course, let cases = operation.cases,
                worker.comparedMethods.isSuperset(of: comparison.options.methods),
                let index = cases.todo.firstIndex(where: {
                    mayTry($0, of: cases, worker, methods: comparison.options.methods)
                })
            else { continue }
            let position = cases.todo[index]
            update(operation.id) { $0.setCases { $0.todo.remove(at: index) } }
            let part = OperationPart(
                operation: operation.id, generation: operation.generation, item: .compare(position))
            let id = give(.part(part), to: worker)
            return dispatch(
                .compare(task: id, comparison.options, position: position, basis: cases.basis), to: peer)
        }
    }

    /// Whether the worker is not the one that had the case in vain last, or no other one can have it.
    private func mayTry(
        _ position: Int, of cases: Comparison.Cases, _ worker: KnownWorker, methods: [ComparisonMethod]
    ) -> Bool {
        cases.lastWorker(of: position) != worker.id
            || !roster.hasWorking { $0.id != worker.id && $0.comparedMethods.isSuperset(of: methods) }
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
        noteStop(of: task, "put back")
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
        update(part.operation) {
            $0.setCases {
                guard $0.found.reports.indices.contains(position) else { return }
                $0.found.reports[position] = report
            }
        }
    }

    /// A worker failed at a case, or was lost with it: the others go first, and after some trials it is given up.
    ///
    /// - Returns: whether the task, which is taken out, was of a case.
    mutating func missed(_ task: CoordinatorTask, _ miss: CaseAttempts.Miss, _ error: ClientError) -> Bool {
        guard case .part(let part) = task.kind, let position = part.comparisonCase else { return false }
        tasks.remove(task.id)
        guard isCurrent(part) else { return true }
        let worker = title(of: task.worker)
        let reason = ClientError(
            code: error.code,
            message: "the case was tried as often as cases are, last on worker \(worker): \(error.message)")
        update(part.operation) { $0.setCases { $0.missed(position, miss, on: task.worker, reason) } }
        log("a case of a comparison came to nothing, worker \(worker), \(error.code)", worker: task.worker)
        return true
    }

    /// What a client that keeps cases asks for again and again: also while others are under way.
    mutating func tellCases(_ wanted: ClientRequest.ComparedCasesRequest, to ticket: ClientTicket) {
        guard let operation = operation(wanted.operation) else {
            return reply(ticket, .unknownOperation(wanted.operation))
        }
        guard case .compare = operation.course else { return reply(ticket, .failure(.noComparison(operation.id))) }
        attend(operation)
        let portion = operation.foundCases?.portion(without: Set(wanted.known))
        reply(ticket, .comparedCases(report(operation), portion ?? ComparedCases()))
    }

    // MARK: who waits for it

    /// Somebody asks where the comparison stands.
    mutating func attend(_ operation: Operation) {
        let now = now
        guard operation.state == .running, case .compare(let comparison) = operation.course,
            now.seconds(since: comparison.lastAsked) >= CoordinatorLimits.attendanceSeconds
        else { return }
        update(operation.id) { $0.setComparison { $0.lastAsked = now } }
    }

    /// - Returns: whether nobody asked for so long that the comparison has ended.
    private mutating func endsUnattended(_ comparison: Comparison, _ id: String) -> Bool {
        let end = comparison.unattendedEnd
        guard end > now else {
            stopComparison(id, .unattended)
            return true
        }
        if comparison.watchedUntil.map({ $0 <= now }) ?? true {
            alarms.add(.anything, at: end)
            update(id) { $0.setComparison { $0.watchedUntil = end } }
        }
        return false
    }

    /// What reads the cluster and changes nothing can be given up; a comparison then tells what was found all the same.
    mutating func stop(_ id: String, for ticket: ClientTicket) {
        guard let operation = operation(id) else { return reply(ticket, .unknownOperation(id)) }
        switch operation.course {
        case .train, .forget: return reply(ticket, .failure(.cannotBeStopped(id, kind: operation.kind)))
        case .compare where operation.state == .running: stopComparison(id, .stopped)
        case .evaluate where operation.state == .running, .verify where operation.state == .running:
            failOperation(id, .stopped)
        case .compare, .evaluate, .verify: break
        }
        reply(ticket, .operation(report(self.operation(id) ?? operation), result: nil))
    }

    /// The comparison ends with an error; what was found is kept for whoever asks for it.
    private mutating func stopComparison(_ id: String, _ error: ClientError) {
        let found = operation(id)?.foundCases
        failOperation(id, error)
        guard let found else { return }
        update(id) { $0.setPhase(Comparison.Phase.stopped(found)) }
    }

    // MARK: status

    /// For people: cases done, and where those under way are.
    func comparisonActivity(of operation: Operation) -> String {
        guard let cases = operation.cases else { return activity }
        let under = tasks(of: operation).compactMap { task in
            task.progress.map { "\($0.step) of \($0.steps)" }
        }
        return "comparing methods, \(cases.done) of \(cases.count) cases done"
            + (cases.failed == 0 ? "" : ", \(cases.failed) given up")
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
        return (Double(cases.done + cases.failed) + 0.99 * under) / Double(cases.count)
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

    static let unattended = ClientError(
        code: .stopped,
        message:
            "no client asked for the comparison for \(Int(CoordinatorLimits.unattendedSeconds / 3600)) hours: compare "
            + "again, with the same --resume folder to keep the cases that were found")

    static let stopped = ClientError(code: .stopped, message: "somebody stopped the operation")

    static func cannotBeStopped(_ id: String, kind: String) -> ClientError {
        ClientError(
            code: .cannotBeStopped,
            message: "operation \(id.clipped) cannot be stopped: a \(kind) request that was accepted is carried out")
    }

    static func noComparison(_ id: String) -> ClientError {
        ClientError(code: .invalidRequest, message: "operation \(id.clipped) is no comparison of methods")
    }
}
