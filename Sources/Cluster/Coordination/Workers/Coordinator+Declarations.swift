import Messages

/// Disks that an operator declares destroyed: of workers that are away, and of those that seem to be here but do not delete
/// what they are told to. Such a worker is taken for gone until it greets anew.
extension Coordinator {
    /// - Parameter removes: the worker leaves the list, whether or not its disk may hold something.
    mutating func declare(
        _ wanted: ClientRequest.ForgetCopyRequest, removes: Bool = false, for ticket: ClientTicket
    ) {
        guard !ticket.request.isEmpty, ticket.request.utf8.count <= CoordinatorLimits.text else {
            return reply(ticket, .failure(.invalidRequestID))
        }
        if let position = declarations.firstIndex(where: { $0.request == ticket.request }) {
            let known = declarations[position]
            guard known.wanted == wanted, known.removes == removes else {
                return reply(ticket, .failure(.requestConflict(known.request)))
            }
            if let result = known.result { return reply(ticket, known.reply(result)) }
            declarations[position].waiters = known.waiters.adding(ticket)
            return
        }
        let worker: KnownWorker
        switch find(wanted.worker) {
        case .success(let found): worker = found
        case .failure(let error): return reply(ticket, .failure(error))
        }
        guard !removes || !worker.isLive else { return reply(ticket, .failure(.removingLive(worker.name))) }
        let concerned = worker.isLive ? worker.copies.filter(isUnanswered) : worker.copies
        guard !worker.isLive || !concerned.isEmpty else { return reply(ticket, .failure(.workerIsHere(worker.id))) }
        let copies = concerned.filter { wanted.shard == nil || $0.shard == wanted.shard }
        guard removes || !copies.isEmpty else { return reply(ticket, .failure(.noCopies(worker.id))) }
        var settlement = CopySettlement(
            worker: worker.id, name: worker.name, reason: .destroyed,
            shards: copies.map { CopySettlement.Shard(shard: $0.shard, kept: []) },
            isEverything: wanted.shard == nil && !worker.isLive)
        settlement.removesWorker = removes
        declarations.append(
            CopyDeclaration(
                request: ticket.request, wanted: wanted, removes: removes, waiters: [ticket], result: nil))
        let ended = declarations.filter { $0.result != nil }.dropLast(CoordinatorLimits.declarations).map(\.request)
        declarations.removeAll { ended.contains($0.request) }
        write(.forgetCopy(request: ticket.request, settlement))
    }

    /// The ledger has it.
    mutating func declared(_ request: String, _ settlement: CopySettlement) {
        for shard in settlement.shards {
            roster.update(settlement.worker) {
                if !$0.isLive || $0.copy(of: shard.shard)?.releaseSent != nil { $0.removeCopy(of: shard.shard) }
            }
        }
        if roster[settlement.worker]?.isLive == true {
            lose(settlement.worker, because: "it does not answer, and was declared gone", isExpected: false)
        }
        if settlement.removesWorker {
            log("worker \(settlement.name.clipped) was removed", worker: settlement.worker)
            // A note of it that was on its way may be written behind this: it is taken back then.
            roster.update(settlement.worker) { ($0.recorded, $0.isListed) = (nil, true) }
            if let worker = roster[settlement.worker], !worker.isLive {
                withdrawTasks(of: worker.id) { _ in true }
                unlist(worker.id)
            } else {
                // It is here again.
                fleet.note(settlement.worker)
            }
        } else {
            log("the disk of worker \(settlement.name.clipped) was declared destroyed", worker: settlement.worker)
        }
        guard let position = declarations.firstIndex(where: { $0.request == request }) else { return }
        declarations[position].result = settlement
        for waiter in declarations[position].waiters { reply(waiter, declarations[position].reply(settlement)) }
        declarations[position].waiters = []
    }

    mutating func refuseDeclaration(_ request: String, _ error: ClientError) {
        guard let position = declarations.firstIndex(where: { $0.request == request }) else { return }
        for waiter in declarations[position].waiters { reply(waiter, .failure(error)) }
        declarations.remove(at: position)
    }
}

extension CopyDeclaration {
    fileprivate func reply(_ settlement: CopySettlement) -> CoordinatorReply {
        guard removes else { return .forgottenCopy(settlement) }
        return .ordered(
            WorkerOrderReply(
                worker: settlement.worker, name: settlement.name, verb: .remove, tasks: 0,
                shards: settlement.shards.map(\.shard)))
    }
}

extension ClientError {
    fileprivate static func removingLive(_ name: String) -> ClientError {
        ClientError(
            code: .workerLive,
            message:
                "worker \(name) is here: only one that is away can be removed; lethe workers drain \(name) sends it away"
        )
    }

    static func noSuchWorker(_ name: String, among ids: [String]) -> ClientError {
        ClientError(
            code: .unknownWorker,
            message: ids.isEmpty
                ? "no worker \(name.clipped) is known: lethe workers lists those that are"
                : "\(name.clipped) is the name of several workers; name one by its id: \(ids.joined(separator: ", "))")
    }

    fileprivate static func workerIsHere(_ id: String) -> ClientError {
        ClientError(
            code: .workerLive,
            message:
                "worker \(id) is here: what it must not hold it is told to delete; only a lost disk can be declared "
                + "destroyed, or what it has not deleted \(Int(CoordinatorLimits.releaseSeconds)) s after it was told to"
        )
    }

    fileprivate static func noCopies(_ id: String) -> ClientError {
        ClientError(code: .noCopies, message: "nothing is on record that worker \(id) may hold")
    }
}
