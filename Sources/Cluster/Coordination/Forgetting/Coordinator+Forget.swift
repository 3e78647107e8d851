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
            "forget \(id.clipped) is durable; shards \(outcome.shards), of which \(outcome.waitingFor) wait for an "
                + "adapter; to be corrected: \(outcome.correcting ?? [])")
        for worker in roster.workers { suspectCopies(of: worker, for: id) }
        if pendingForget(id) == nil { update(id) { $0.phase = .done(.forget) } }
        guard let operation = operation(id) else { return }
        for waiter in waiters { reply(waiter, acceptance(of: operation)) }
    }

    /// After a restart the ledger knows of requests that this value does not.
    mutating func adoptPendingForgets() {
        for pending in snapshot.pendingForgets where operation(pending.id) == nil {
            operations.append(
                Operation(
                    id: pending.id, request: nil, course: .forget(Forgetting()), started: now, phase: .running))
            for worker in roster.workers { suspectCopies(of: worker, for: pending.id) }
        }
    }

    // MARK: copies

    /// A worker said what it holds: pending requests wait for what is not current in it.
    mutating func suspectCopies(of worker: KnownWorker) {
        for pending in snapshot.pendingForgets { suspectCopies(of: worker, for: pending.id) }
    }

    private mutating func suspectCopies(of worker: KnownWorker, for request: String) {
        var found: [UnconfirmedCopy] = []
        for copy in worker.copies {
            let current = shard(copy.shard)?.manifest
            for manifest in copy.manifests where manifest != current {
                found.append(
                    UnconfirmedCopy(worker: worker.id, name: worker.name, shard: copy.shard, manifest: manifest))
            }
        }
        guard !found.isEmpty else { return }
        update(request) {
            guard case .forget(var forgetting) = $0.course else { return }
            forgetting.suspects += found.filter { !forgetting.suspects.contains($0) }
            $0.course = .forget(forgetting)
        }
    }

    /// Copies that may still hold what the request forgot.
    func unconfirmed(_ forgetting: Forgetting) -> [UnconfirmedCopy] {
        forgetting.suspects.filter { suspect in
            roster[suspect.worker]?.copy(of: suspect.shard)?.manifests.contains(suspect.manifest) ?? false
        }
    }

    // MARK: the end

    mutating func advance(_ forgetting: Forgetting, of operation: Operation, isAsked: Bool) {
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
        if cleanSince != forgetting.cleanSince {
            update(operation.id) {
                guard case .forget(var forgetting) = $0.course else { return }
                forgetting.cleanSince = cleanSince
                $0.course = .forget(forgetting)
            }
        }
        if !isAsked, isFinishable(operation.id) {
            write(.finishForget(request: operation.id, checks: checkResults(for: pending)))
        }
    }

    /// Whether the affected shards have clean adapters that carry weight, and no worker at hand holds what was forgotten, as
    /// far as they answer.
    ///
    /// Rows of the error table are waited for only where the attention in force looks at them, and then only for those of
    /// the request's own shards, as long as they can be had. Tuning the attention anew is no request's business. The purge is:
    /// before it the files hold traces of what was forgotten.
    func isFinishable(_ id: String) -> Bool {
        guard !snapshot.purgePending, let pending = pendingForget(id), pending.waitingFor.isEmpty,
            let operation = operation(id), case .forget(let forgetting) = operation.course
        else { return false }
        return copiesAreSettled(forgetting) && missingRows(of: pending).isEmpty && areChecked(pending)
    }

    /// Whether workers at hand have confirmed their deletions and the ledger has it, or there was time enough for it.
    func copiesAreSettled(_ forgetting: Forgetting) -> Bool {
        if let since = forgetting.cleanSince, now.seconds(since: since) >= CoordinatorLimits.releaseSeconds {
            return true
        }
        let isBeingWritten = writes.contains { command in
            guard case .settleCopies(let settlement) = command else { return false }
            return forgetting.suspects.contains { $0.worker == settlement.worker }
        }
        return !isBeingWritten && unconfirmed(forgetting).allSatisfy { roster[$0.worker]?.isLive != true }
    }

    /// Shards of the request whose adapter carries no weight yet because its row is to come.
    func missingRows(of pending: LedgerSnapshot.PendingForget) -> [Int] {
        guard snapshot.weighsByRows else { return [] }
        return snapshot.shards.filter { shard in
            guard pending.retrained.contains(shard.index), let adapter = shard.adapter, adapter.missingMargins > 0
            else { return false }
            let rows = MissingValues.margins(adapter: adapter.name)
            return exhausted { $0 == .values(rows) } == nil && !writes.isFailing { $0.saves(rows) }
        }.map(\.index)
    }

    mutating func forgetFinished(_ id: String) {
        guard let operation = operation(id), case .forget(let forgetting) = operation.course else { return }
        let unconfirmed = unconfirmed(forgetting).count
        update(id) { $0.phase = .done(.forget) }
        log("forget \(id.clipped) is done; copies not confirmed: \(unconfirmed)")
    }
}
