import Messages

/// Operators steer single workers, and workers that are asked to end say so: who is paused, drained or about to leave gets no new
/// work. An order holds until it is changed, also over a restart of the coordinator and of the worker; a drained worker that has
/// left works again when it is started again.
extension Coordinator {
    mutating func take(_ order: WorkerOrder, for ticket: ClientTicket) {
        guard !isTaken(.order(order), by: ticket) else { return }
        switch subject(of: order) {
        case .failure(let error): reply(ticket, .failure(error))
        case .success(let worker) where order.verb == .remove: remove(worker, order, for: ticket)
        case .success(let worker):
            let answer = WorkerOrderReply(
                worker: worker.id, name: worker.name, verb: order.verb, tasks: tasks.load(of: worker.id).ids.count,
                shards: worker.copies.map(\.shard))
            let word = SettledWord(request: ticket.request, wanted: .order(order), outcome: .ordered(answer))
            words.begin(word, for: ticket)
            var record = worker.record
            record.duty = order.verb.duty
            write(.setDuty(word, record))
        }
    }

    /// The ledger has it.
    mutating func ordered(_ word: SettledWord, _ record: WorkerRecord) {
        guard case .order(let order) = word.wanted else { return settle(word) }
        // The audit log has the order; the list gets what is left of it.
        let drained = roster[record.worker].flatMap { drainedSince($0, order.verb) }
        roster.update(record.worker) {
            ($0.duty, $0.drainedSince) = (order.verb.duty, nil)
            $0.settleDrain(since: drained)
            // What was noted of it while this was written has another duty in it.
            ($0.recorded, $0.isListed) = (nil, true)
            $0.toldToLeave = nil
        }
        fleet.note(record.worker)
        let what = drained == nil ? "is to \(order.verb.duty.rawValue)" : "is drained: nothing of it is left there"
        log("worker \(title(of: record.worker)) \(what)", worker: record.worker)
        if order.verb == .resume { resumeEarlier(record.worker) }
        settle(word)
    }

    /// Since when a worker that is to be drained has nothing to come back for; nil: it has, or is here.
    private func drainedSince(_ worker: KnownWorker, _ verb: WorkerOrder.Verb) -> CoordinatorInstant? {
        verb == .drain && !worker.isLive && isEmpty(worker) ? worker.away?.since ?? now : nil
    }

    /// Whether nothing of the cluster is left with the worker.
    func isEmpty(_ worker: KnownWorker) -> Bool { worker.copies.isEmpty && tasks.load(of: worker.id).ids.isEmpty }

    /// The worker of that id, or the only one of that name that the order can be about: while one of several is here, it is that one,
    /// and what is away is what can be removed.
    private func subject(of order: WorkerOrder) -> Result<KnownWorker, ClientError> {
        guard roster[order.worker] == nil else { return find(order.worker) }
        let named = workers(called: order.worker)
        let fit = named.filter { $0.isLive != (order.verb == .remove) }
        if fit.count == 1 { return .success(fit[0]) }
        // Lives of one worker: what is said of one is said of all.
        if order.verb == .resume, fit.isEmpty, named.allSatisfy(\.isPausedLife), let any = named.first {
            return .success(any)
        }
        return find(order.worker)
    }

    // MARK: workers that begin anew with every start

    /// What such a worker has in common with the one that it was is its name, if it was given one: under that it is paused still.
    mutating func resumePause(of new: inout KnownWorker, _ hello: WorkerMessage.Hello) {
        guard let label = hello.label, new.isEphemeral else { return }
        let earlier = roster.workers.filter { $0.id != new.id && $0.name == label && $0.isPausedLife }
        guard !earlier.isEmpty else { return }
        new.duty = .pause
        for worker in earlier where worker.isOver { unlist(worker.id) }
    }

    /// Earlier lives of a worker that is to work again are not paused either.
    private mutating func resumeEarlier(_ id: String) {
        guard let name = roster[id]?.name else { return }
        for worker in roster.workers where worker.name == name && (worker.isPausedLife || worker.id == id) {
            roster.update(worker.id) { $0.duty = .work }
            fleet.note(worker.id)
            if worker.isOver { unlist(worker.id) }
        }
    }

    // MARK: leaving

    /// The worker was asked to end.
    mutating func leaving(_ worker: KnownWorker) {
        guard !worker.isLeaving else { return }
        roster.update(worker.id) { $0.isLeaving = true }
        log("worker \(worker.title) is about to leave", worker: worker.id)
    }

    /// Tells workers to end that have nothing left to do, and nothing left to delete of what they were told to; who is drained was
    /// told to delete all.
    mutating func sendAway() {
        refresh()
        for id in roster.leaving {
            guard let worker = roster[id], let peer = worker.peer, worker.knowsLeave,
                tasks.load(of: id).ids.isEmpty,
                !worker.copies.contains(where: { worker.duty == .drain || $0.releaseSent != nil })
            else { continue }
            let again = worker.toldToLeave?.advanced(bySeconds: CoordinatorLimits.releaseAgainSeconds)
            guard again.map({ $0 <= now }) ?? true else { continue }
            roster.update(id) { $0.toldToLeave = now }
            alarms.add(.anything, at: now.advanced(bySeconds: CoordinatorLimits.releaseAgainSeconds))
            log("worker \(worker.title) has nothing left to do and may go", worker: id)
            send(.leave, to: peer)
        }
    }
}

extension WorkerOrder.Verb {
    /// What the worker is to do from then on.
    fileprivate var duty: WorkerDuty {
        switch self {
        case .drain: .drain
        case .pause: .pause
        case .resume: .work
        // It is not there any more.
        case .remove: .work
        }
    }
}
