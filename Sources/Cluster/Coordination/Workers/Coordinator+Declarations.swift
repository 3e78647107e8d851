import Messages

/// Disks that an operator declares destroyed: of workers that are away, and of those that seem to be here but do not delete
/// what they are told to. Such a worker is taken for gone until it greets anew.
extension Coordinator {
    mutating func declare(_ wanted: ClientRequest.ForgetCopyRequest, for ticket: ClientTicket) {
        guard !ticket.request.isEmpty, ticket.request.utf8.count <= CoordinatorLimits.text else {
            return reply(ticket, .failure(.invalidRequestID))
        }
        if let position = declarations.firstIndex(where: { $0.request == ticket.request }) {
            let known = declarations[position]
            guard known.wanted == wanted else { return reply(ticket, .failure(.requestConflict(known.request))) }
            if let result = known.result { return reply(ticket, .forgottenCopy(result)) }
            declarations[position].waiters = known.waiters.adding(ticket)
            return
        }
        let named = roster.workers.filter { $0.id == wanted.worker || $0.name == wanted.worker }
        guard let worker = named.first, named.count == 1 else {
            return reply(ticket, .failure(.noSuchWorker(wanted.worker, among: named.map(\.id))))
        }
        let concerned = worker.isLive ? worker.copies.filter(isUnanswered) : worker.copies
        guard !worker.isLive || !concerned.isEmpty else { return reply(ticket, .failure(.workerIsHere(worker.id))) }
        let copies = concerned.filter { wanted.shard == nil || $0.shard == wanted.shard }
        guard !copies.isEmpty else { return reply(ticket, .failure(.noCopies(worker.id))) }
        let settlement = CopySettlement(
            worker: worker.id, name: worker.name, reason: .destroyed,
            shards: copies.map { CopySettlement.Shard(shard: $0.shard, kept: []) },
            isEverything: wanted.shard == nil && !worker.isLive)
        declarations.append(
            CopyDeclaration(request: ticket.request, wanted: wanted, waiters: [ticket], result: nil))
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
        if let worker = roster[settlement.worker], !worker.isLive, worker.copies.isEmpty { roster[worker.id] = nil }
        log("the disk of worker \(settlement.worker) was declared destroyed")
        guard let position = declarations.firstIndex(where: { $0.request == request }) else { return }
        declarations[position].result = settlement
        for waiter in declarations[position].waiters { reply(waiter, .forgottenCopy(settlement)) }
        declarations[position].waiters = []
    }

    mutating func refuseDeclaration(_ request: String, _ error: ClientError) {
        guard let position = declarations.firstIndex(where: { $0.request == request }) else { return }
        for waiter in declarations[position].waiters { reply(waiter, .failure(error)) }
        declarations.remove(at: position)
    }
}

extension ClientError {
    fileprivate static func noSuchWorker(_ name: String, among ids: [String]) -> ClientError {
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
