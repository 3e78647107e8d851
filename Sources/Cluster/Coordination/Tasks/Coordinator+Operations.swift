import Messages

/// Clients' requests become operations; operations end.
extension Coordinator {
    func operation(_ id: String) -> Operation? {
        operations[id]
    }

    mutating func update(_ id: String, _ change: (inout Operation) -> Void) {
        operations.update(id, change)
    }

    mutating func reply(_ ticket: ClientTicket, _ reply: CoordinatorReply) {
        actions.append(.reply(ticket, reply))
    }

    mutating func receive(_ request: ClientRequest, from ticket: ClientTicket) {
        switch request {
        case .status:
            refresh()
            reply(ticket, .status(status(at: now)))
        case .operation(let id):
            refresh()
            guard let operation = operation(id) else { return reply(ticket, .unknownOperation(id)) }
            attend(operation)
            reply(ticket, .operation(report(operation), result: operation.result))
        case .comparedCases(let wanted):
            refresh()
            tellCases(wanted, to: ticket)
        case .stop(let id):
            refresh()
            stop(id, for: ticket)
        case .train, .forget, .evaluate, .verify, .compare: begin(request, for: ticket)
        case .forgetCopy(let wanted): declare(wanted, for: ticket)
        case .order(let order): take(order, for: ticket)
        case .importRows, .finishImport, .dropImport, .query, .configuration, .adapters, .lineage, .exportAdapter,
            .audit, .access, .requests, .serving:
            reply(ticket, .failure(.notAnOperation))
        }
    }

    private mutating func begin(_ request: ClientRequest, for ticket: ClientTicket) {
        guard !ticket.request.isEmpty, ticket.request.utf8.count <= CoordinatorLimits.text else {
            return reply(ticket, .failure(.invalidRequestID))
        }
        if let known = operation(ticket.request) { return repeated(request, of: known, for: ticket) }
        if let error = objection(to: request) { return reply(ticket, .failure(error)) }
        let course: Operation.Course
        switch request {
        case .forget: course = .forget(Forgetting())
        case .evaluate(let wanted): course = .evaluate(Evaluation(wanted))
        case .verify(let wanted): course = .verify(Verification(wanted))
        case .compare(let options): course = .compare(Comparison(options, at: now))
        default: course = .train
        }
        operations.append(
            Operation(
                id: ticket.request, request: request, course: course, started: now,
                phase: .committing(waiters: [ticket])))
        commitNotices.add(ticket.request, at: now)
        switch request {
        case .forget(let wanted): write(.forget(request: ticket.request, wanted))
        case .train:
            // Whoever asks again means: try again.
            for position in failures.indices where failures[position].pausedUntil != nil {
                failures[position].pausedUntil = now
                noteFailure(failures[position].work)
            }
            if snapshot.trainingRequested {
                accept(ticket.request)
            } else {
                write(.requestTraining(request: ticket.request))
            }
        case .evaluate:
            alarms.add(.anything, at: now.advanced(bySeconds: CoordinatorLimits.evaluationSeconds))
            accept(ticket.request)
        default: accept(ticket.request)
        }
        dropOldOperations()
    }

    private mutating func repeated(_ request: ClientRequest, of known: Operation, for ticket: ClientTicket) {
        // What is not kept is what the ledger is being asked for, or was.
        let first = known.request ?? writes.forgetting(known.id).map { .forget($0) }
        if let first, first != request {
            // The ledger has not said yet whether the other one is the request that it has pending under this id.
            let isAsked = if case .forget(let forgetting) = known.course { !forgetting.waiters.isEmpty } else { false }
            return reply(ticket, .failure(isAsked ? .busy : .requestConflict(known.id)))
        }
        if case .committing(let waiters) = known.phase {
            return update(known.id) { $0.phase = .committing(waiters: waiters.adding(ticket)) }
        }
        if case .forget(var forgetting) = known.course, first == nil || forgetting.isUnknown {
            // Pending since before a restart, or long: the ledger knows what it did, and whether it is the same request.
            guard case .forget(let wanted) = request else {
                return reply(ticket, .failure(.requestConflict(known.id)))
            }
            forgetting.outcome = .unknown(waiters: forgetting.waiters.adding(ticket))
            update(known.id) {
                $0.setRequest(request)
                $0.course = .forget(forgetting)
            }
            commitNotices.add(known.id, at: now)
            if !writes.has(.forget(known.id)) { write(.forget(request: known.id, wanted)) }
            return
        }
        refresh()
        attend(known)
        reply(ticket, acceptance(of: known))
    }

    /// Why a request cannot be taken at all.
    private func objection(to request: ClientRequest) -> ClientError? {
        let running = operations.runningOthers
        switch request {
        case .forget(let wanted):
            if wanted.dryRun { return .notAnOperation }
            do throws(LedgerError) {
                _ = try ForgetProcedure(wanted, default: settings.configuration.method)
            } catch {
                return .methodNotAvailable(error)
            }
            return operations.runningForgets >= CoordinatorLimits.runningForgets ? .busy : nil
        case .train where snapshot.trainingPrompts == 0: return .nothingToTrain(hasData: snapshot.hasData)
        case .train where labelsAreOne:
            return snapshot.labels.map { .oneLabel($0, prompts: snapshot.trainingPrompts) }
        case .evaluate(let wanted):
            if let error = wanted.objection { return error }
            if promptCount(of: wanted.split) == 0 { return .emptySplit(wanted.split) }
            if !hasTraining { return .notTrained }
        case .verify(let wanted):
            if let error = wanted.stages.flatMap({ objection(to: $0, request: wanted.request) }) { return error }
            if !hasTraining { return .notTrained }
        case .compare(let options):
            if snapshot.trainingPrompts == 0 { return .nothingToTrain(hasData: snapshot.hasData) }
            if let labels = snapshot.labels, labelsAreOne {
                return .oneLabel(labels, prompts: snapshot.trainingPrompts)
            }
            if snapshot.testPrompts == 0 { return .emptySplit(.test) }
            do { try options.check() } catch { return .invalidComparison(error) }
        default: break
        }
        return running >= CoordinatorLimits.runningOperations ? .busy : nil
    }

    /// Whether all training prompts have the same answer.
    private var labelsAreOne: Bool {
        guard let labels = snapshot.labels, snapshot.trainingPrompts > 0 else { return false }
        return labels.likes == 0 || labels.likes == snapshot.trainingPrompts
    }

    /// Whether there are adapters, or will be.
    private var hasTraining: Bool {
        snapshot.trainingRequested || !snapshot.pendingForgets.isEmpty || !index.named.isEmpty
    }

    func promptCount(of split: Split) -> Int {
        switch split {
        case .train: snapshot.trainingPrompts
        case .validation: snapshot.validationPrompts
        case .test: snapshot.testPrompts
        }
    }

    // MARK: acceptance

    func acceptance(of operation: Operation) -> CoordinatorReply {
        if case .forget(let forgetting) = operation.course, case .known(let outcome) = forgetting.outcome {
            return .forgetAccepted(operation.state, outcome)
        }
        return .operation(report(operation), result: operation.result)
    }

    /// What the ledger has to remember is committed: whoever waits gets the reply.
    mutating func accept(_ id: String) {
        guard var operation = operation(id), case .committing(let waiters) = operation.phase else { return }
        operation.phase = .running
        refresh()
        update(id) { $0.phase = .running }
        log("request \(id.clipped) begins: \(operation.kind)", request: id, repeatsActions: true)
        for waiter in waiters { reply(waiter, acceptance(of: operation)) }
    }

    /// The ledger did not take the request: it has not happened.
    mutating func refuse(_ id: String, _ error: ClientError) {
        guard let operation = operation(id) else { return }
        if case .committing(let waiters) = operation.phase {
            for waiter in waiters { reply(waiter, .failure(error)) }
            operations.remove(id)
        } else if case .forget(var forgetting) = operation.course, case .unknown(let waiters) = forgetting.outcome {
            for waiter in waiters { reply(waiter, .failure(error)) }
            forgetting.outcome = .unknown(waiters: [])
            update(id) {
                $0.setRequest(nil)
                $0.course = .forget(forgetting)
            }
        }
    }

    private mutating func dropOldOperations() {
        operations.dropEnded(keeping: CoordinatorLimits.endedOperations)
    }

    // MARK: going on

    /// Requests and operations that something changed for; of those that read what the cluster has, all.
    mutating func advanceOperations() {
        refresh()
        for shard in changes.take(.forgets) { forgetsToAdvance.formUnion(pendingForgets.ready(retraining: shard)) }
        let first = firstWaitingForCopies
        if blockedFrom < first { forgetsToAdvance.formUnion(pendingForgets.ready(among: blockedFrom..<first)) }
        blockedFrom = first
        var concerned = forgetsToAdvance
        forgetsToAdvance = []
        guard !concerned.isEmpty || operations.hasReaders else { return }
        for reader in operations.readers { concerned.insert(reader.id) }
        for operation in operations.inOrder(concerned) where operation.isOpen {
            switch operation.course {
            case .train where operation.state == .running: advanceTraining(operation)
            case .forget(let forgetting):
                advance(
                    forgetting, of: operation, isAsked: writes.has(.end(operation.id)), firstWaiting: first)
            case .evaluate(let evaluation) where operation.state == .running: advance(evaluation, of: operation)
            case .verify(let verification) where operation.state == .running: advance(verification, of: operation)
            case .compare(let comparison) where operation.state == .running: advance(comparison, of: operation)
            default: break
            }
        }
    }

    private mutating func advanceTraining(_ operation: Operation) {
        if isUpToDate {
            update(operation.id) { $0.phase = .done(nil) }
            logEnd(of: operation.id)
        } else if let error = exhausted(among: \.isForAdapters) {
            update(operation.id) { $0.phase = .failed(error) }
            logEnd(of: operation.id, error)
        }
    }

    private mutating func logEnd(of id: String, _ error: ClientError? = nil) {
        let end = error.map { "failed: \($0.code)" } ?? "is done"
        log("request \(id.clipped) \(end)", request: id, repeatsActions: true)
    }

    /// The operation is over, with an error; what it had under way is dropped.
    mutating func failOperation(_ id: String, _ error: ClientError) {
        clearWork(of: id)
        update(id) { $0.phase = .failed(error) }
        logEnd(of: id, error)
    }

    /// The operation is over; what it collected is dropped.
    mutating func endOperation(_ id: String, _ result: OperationResult) {
        clearWork(of: id)
        update(id) { $0.phase = .done(result) }
        logEnd(of: id)
    }

    /// Parts under way belong to an earlier generation from here on.
    mutating func clearWork(of id: String, keepingScores keepsScores: Bool = false) {
        if case .evaluate(let evaluation) = operation(id)?.course { index.retired.formUnion(evaluation.singles) }
        update(id) {
            $0.generation += 1
            switch $0.course {
            case .evaluate(let old): $0.course = .evaluate(keepsScores ? old.renewed : Evaluation(old.request))
            case .verify(let old): $0.course = .verify(Verification(.init(request: old.request, stages: old.stages)))
            case .compare(let old): $0.course = .compare(old.renewed)
            case .train, .forget: break
            }
        }
        succeeded(.operation(id))
    }
}

extension [ClientTicket] {
    /// Whoever asks again waits once; the first ones of too many are not answered.
    func adding(_ ticket: ClientTicket) -> [ClientTicket] {
        (filter { $0 != ticket } + [ticket]).suffix(CoordinatorLimits.waitersPerRequest)
    }
}

extension WorkItem {
    /// Whether adapters and their rows depend on it.
    var isForAdapters: Bool {
        switch self {
        case .train, .correct, .values: true
        case .prepare, .copy, .check, .operation: false
        }
    }
}
