import Messages

/// An operator's word about a worker, on its way to the ledger.
struct PendingOrder: Sendable {
    var request: String
    var order: WorkerOrder
    var waiters: [ClientTicket]
}

/// Operators steer single workers, and workers that are asked to end say so: who is paused, drained or about to leave gets no new
/// work. An order holds until it is changed, also over a restart of the coordinator and of the worker; a drained worker that has
/// said goodbye works again when it comes back.
extension Coordinator {
    mutating func take(_ order: WorkerOrder, for ticket: ClientTicket) {
        guard !ticket.request.isEmpty, ticket.request.utf8.count <= CoordinatorLimits.text else {
            return reply(ticket, .failure(.invalidRequestID))
        }
        if order.verb == .remove {
            return declare(.init(worker: order.worker, shard: nil), removes: true, for: ticket)
        }
        if let position = orders.firstIndex(where: { $0.request == ticket.request }) {
            guard orders[position].order == order else {
                return reply(ticket, .failure(.requestConflict(ticket.request)))
            }
            orders[position].waiters = orders[position].waiters.adding(ticket)
            return
        }
        guard orders.count < CoordinatorLimits.declarations else { return reply(ticket, .failure(.busy)) }
        switch find(order.worker) {
        case .failure(let error): reply(ticket, .failure(error))
        case .success(let worker):
            orders.append(PendingOrder(request: ticket.request, order: order, waiters: [ticket]))
            var record = worker.record
            record.duty = order.verb.duty
            write(.setDuty(request: ticket.request, record))
        }
    }

    /// The ledger has it.
    mutating func ordered(_ request: String, _ record: WorkerRecord) {
        roster.update(record.worker) {
            $0.duty = record.duty
            // What was noted of it while this was written has another duty in it.
            ($0.recorded, $0.isListed) = (nil, true)
            $0.toldToLeave = nil
        }
        fleet.note(record.worker)
        log("worker \(title(of: record.worker)) is to \(record.duty.rawValue)", worker: record.worker)
        guard let position = orders.firstIndex(where: { $0.request == request }) else { return }
        let done = orders.remove(at: position)
        let reply = WorkerOrderReply(
            worker: record.worker, name: record.name, verb: done.order.verb,
            tasks: tasks.load(of: record.worker).ids.count,
            shards: roster[record.worker]?.copies.map(\.shard) ?? [])
        for waiter in done.waiters { self.reply(waiter, .ordered(reply)) }
    }

    mutating func refuseOrder(_ request: String, _ error: ClientError) {
        guard let position = orders.firstIndex(where: { $0.request == request }) else { return }
        for waiter in orders.remove(at: position).waiters { reply(waiter, .failure(error)) }
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
