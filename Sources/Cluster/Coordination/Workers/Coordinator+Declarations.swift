import Messages

/// Disks that an operator declares destroyed: of workers that are away, and of those that seem to be here but do not delete
/// what they are told to. Such a worker is taken for gone until it greets anew.
extension Coordinator {
    mutating func declare(_ wanted: ClientRequest.ForgetCopyRequest, for ticket: ClientTicket) {
        let word = SettledWord.Wanted.destroyed(worker: wanted.worker, shard: wanted.shard)
        guard !isTaken(word, by: ticket) else { return }
        let worker: KnownWorker
        switch find(wanted.worker) {
        case .success(let found): worker = found
        case .failure(let error): return reply(ticket, .failure(error))
        }
        let concerned = worker.isLive ? worker.copies.filter(isUnanswered) : worker.copies
        guard !worker.isLive || !concerned.isEmpty else { return reply(ticket, .failure(.workerIsHere(worker.id))) }
        let copies = concerned.filter { wanted.shard == nil || $0.shard == wanted.shard }
        guard !copies.isEmpty else { return reply(ticket, .failure(.noCopies(worker.id))) }
        let settlement = destroyed(
            copies.map(\.shard), of: worker, isEverything: wanted.shard == nil && !worker.isLive)
        write(settlement, SettledWord(request: ticket.request, wanted: word, outcome: .destroyed(settlement)), ticket)
    }

    /// The worker leaves the list, whether or not its disk may hold something.
    mutating func remove(_ worker: KnownWorker, _ order: WorkerOrder, for ticket: ClientTicket) {
        guard !worker.isLive else { return reply(ticket, .failure(.removingLive(worker.name))) }
        let shards = worker.copies.map(\.shard)
        var settlement = destroyed(shards, of: worker, isEverything: true)
        settlement.removesWorker = true
        let answer = WorkerOrderReply(
            worker: worker.id, name: worker.name, verb: .remove, tasks: 0, shards: shards)
        write(
            settlement, SettledWord(request: ticket.request, wanted: .order(order), outcome: .ordered(answer)), ticket)
    }

    private func destroyed(_ shards: [Int], of worker: KnownWorker, isEverything: Bool) -> CopySettlement {
        CopySettlement(
            worker: worker.id, name: worker.name, reason: .destroyed,
            shards: shards.map { CopySettlement.Shard(shard: $0, kept: []) }, isEverything: isEverything)
    }

    private mutating func write(_ settlement: CopySettlement, _ word: SettledWord, _ ticket: ClientTicket) {
        words.begin(word, for: ticket)
        write(.forgetCopy(word, settlement))
    }

    /// The ledger has it.
    mutating func declared(_ word: SettledWord, _ settlement: CopySettlement) {
        for shard in settlement.shards {
            roster.update(settlement.worker) {
                if !$0.isLive || $0.copy(of: shard.shard)?.releaseSent != nil { $0.removeCopy(of: shard.shard) }
            }
        }
        if roster[settlement.worker]?.isLive == true {
            lose(settlement.worker, because: "it does not answer, and was declared gone", isExpected: false)
        } else {
            // What it holds is known from a greeting alone: on the connection on which it was lost it is not taken back.
            withdrawTasks(of: settlement.worker) { _ in true }
            roster.update(settlement.worker) { $0.absence = WorkerAbsence() }
            changes.note(roster[settlement.worker]?.copies.map(\.shard) ?? [])
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
        settle(word)
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
