import Messages

/// Forget requests: from the commit to the certificate.
///
/// The order is what makes a forget safe. The ledger commits first; its snapshot, in which the affected shards have no
/// adapter any more, is adopted next; only then is the client answered. Training of old manifests is cancelled, and what
/// it may still send is dropped here by task and in the ledger by manifest. Several requests need no merging: a shard has
/// one current manifest, and training it serves them all.
extension Coordinator {
    mutating func forgetCommitted(_ id: String, _ outcome: ForgetOutcome) {
        var waiters: [ClientTicket] = []
        update(id) {
            guard case .forget(var forgetting) = $0.course else { return }
            if case .unknown(let waiting) = forgetting.outcome { waiters += waiting }
            if case .committing(let waiting) = $0.phase {
                waiters += waiting
                $0.phase = .running
            }
            forgetting.outcome = .known(outcome)
            $0.course = .forget(forgetting)
        }
        log(
            "forget \(id.clipped) is durable; shards [\(list(outcome.shards))], of which [\(list(outcome.waitingFor))] wait "
                + "for an adapter; to be corrected: [\(list(outcome.correcting ?? []))]")
        forgetsToAdvance.insert(id)
        if pendingForget(id) == nil { update(id) { $0.phase = .done(.forget) } }
        refresh()
        guard let operation = operation(id) else { return }
        for waiter in waiters { reply(waiter, acceptance(of: operation)) }

        /// A line has room for the first ones of many.
        func list(_ shards: [Int]) -> String { shards.listed(within: CoordinatorLimits.text / 4) }
    }

    /// After a restart the ledger knows of requests that this value does not.
    mutating func adopt(_ pending: some Sequence<LedgerSnapshot.PendingForget>) {
        for pending in pending where operation(pending.id) == nil {
            operations.append(
                Operation(
                    id: pending.id, request: nil, course: .forget(Forgetting()), started: now, phase: .running))
        }
    }

    // MARK: copies

    /// A worker said what it holds: pending requests wait for what is not current in it.
    mutating func suspectCopies(of worker: KnownWorker) {
        for copy in worker.copies { noteStaleCopy(copy, of: worker.id, concernsAll: true) }
    }

    /// The shard's data, or somebody's copy of it, is another one.
    mutating func noteStaleCopies(of shard: Int) {
        for worker in roster.holders(of: shard) {
            if let copy = roster.copy(of: shard, at: worker) { noteStaleCopy(copy, of: worker) }
        }
        guard !staleCopies.isEmpty else { return }
        for worker in staleCopies.workers(withShard: shard) where roster.copy(of: shard, at: worker) == nil {
            staleCopies.set([], of: worker, shard: shard, first: staleFrom)
        }
    }

    private mutating func noteStaleCopy(_ copy: KnownCopy, of worker: String, concernsAll: Bool = false) {
        let current = shard(copy.shard)?.manifest
        staleCopies.set(
            copy.manifests.filter { $0 != current }, of: worker, shard: copy.shard, first: staleFrom,
            concernsAll: concernsAll)
    }

    /// Copies that may still hold what the request forgot.
    func unconfirmed(_ request: String) -> [UnconfirmedCopy] {
        guard let sequence = pendingForgets.sequence(of: request) else { return [] }
        return staleCopies.concerning(sequence) { roster[$0]?.name ?? "" }
    }

    /// The first request that waits for a worker at hand to confirm a deletion, or for the ledger to note one. All that came
    /// before it wait for no copy.
    var firstWaitingForCopies: Int {
        guard !staleCopies.isEmpty else { return .max }
        let held = staleCopies.first { roster.isLive($0) || isSettling($0) }
        let settling = staleCopies.firstSettling { isSettling($0) }
        return min(held ?? .max, settling ?? .max)
    }

    // MARK: the end

    /// - Parameter firstWaiting: `firstWaitingForCopies`.
    mutating func advance(_ forgetting: Forgetting, of operation: Operation, isAsked: Bool, firstWaiting: Int) {
        guard let pending = pendingForget(operation.id) else {
            return update(operation.id) { $0.phase = .done(.forget) }
        }
        // An operation that failed goes on when its work is tried again: the request stays durable until it is done.
        let blocked = exhausted { work in
            switch work {
            case .train(let shard): pending.waitingFor.contains(shard)
            default: false
            }
        }
        if let blocked {
            update(operation.id) { $0.phase = .failed(blocked) }
        } else if case .failed = operation.phase {
            update(operation.id) { $0.phase = .running }
        }
        let cleanSince = pending.waitingFor.isEmpty ? forgetting.cleanSince ?? now : nil
        var forgetting = forgetting
        if cleanSince != forgetting.cleanSince {
            forgetting.cleanSince = cleanSince
            let course = Operation.Course.forget(forgetting)
            update(operation.id) { $0.course = course }
            if cleanSince != nil {
                alarms.add(.request(operation.id), at: now.advanced(bySeconds: CoordinatorLimits.releaseSeconds))
            }
        }
        if !isAsked, isFinishable(pending, forgetting, firstWaiting: firstWaiting) {
            write(.finishForget(request: operation.id, checks: checkResults(for: pending)))
        }
    }

    /// Whether the affected shards have clean adapters that carry weight, and no worker at hand holds what was forgotten, as
    /// far as they answer.
    ///
    /// Rows of the error table are waited for only where the attention in force looks at them, and then only for those of
    /// the request's own shards, as long as they can be had. Tuning the attention anew is no request's business. The purge is:
    /// before it the files hold traces of what was forgotten.
    private func isFinishable(
        _ pending: LedgerSnapshot.PendingForget, _ forgetting: Forgetting, firstWaiting: Int? = nil
    ) -> Bool {
        !snapshot.purgePending && pending.waitingFor.isEmpty
            && copiesAreSettled(forgetting, of: pending.id, firstWaiting: firstWaiting)
            && missingRows(of: pending).isEmpty && areChecked(pending)
    }

    func isFinishable(_ id: String) -> Bool {
        guard let pending = pendingForget(id), case .forget(let forgetting) = operation(id)?.course else {
            return false
        }
        return isFinishable(pending, forgetting)
    }

    /// Whether workers at hand have confirmed their deletions and the ledger has it, or there was time enough for it.
    func copiesAreSettled(_ forgetting: Forgetting, of request: String, firstWaiting: Int? = nil) -> Bool {
        if let since = forgetting.cleanSince, now.seconds(since: since) >= CoordinatorLimits.releaseSeconds {
            return true
        }
        return pendingForgets.sequence(of: request).map { $0 < firstWaiting ?? firstWaitingForCopies } ?? true
    }

    /// Shards of the request whose adapter carries no weight yet because its row is to come.
    func missingRows(of pending: LedgerSnapshot.PendingForget) -> [Int] {
        guard snapshot.weighsByRows else { return [] }
        return pending.retrained.sorted().filter { index in
            // A stage answers for another request that waits: its row is not this one's.
            guard let adapter = shard(index)?.adapter, adapter.stage == nil, adapter.missingMargins > 0 else {
                return false
            }
            let rows = MissingValues.margins(adapter: adapter.name)
            return exhausted { $0 == .values(rows) } == nil && !writes.isFailing(rows.subject)
        }
    }

    /// - Parameter unconfirmed: how many copies are not confirmed gone.
    mutating func forgetFinished(_ id: String, unconfirmed: Int) {
        guard operation(id)?.isForget == true else { return }
        update(id) { $0.phase = .done(.forget) }
        log("forget \(id.clipped) is done; copies not confirmed: \(unconfirmed)")
    }
}
