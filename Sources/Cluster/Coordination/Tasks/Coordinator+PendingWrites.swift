import Messages

extension Coordinator {
    @discardableResult
    mutating func write(_ command: LedgerCommand) -> LedgerCommandID {
        let id = writes.begin(command)
        actions.append(.ledger(id, command))
        return id
    }

    mutating func retryLedgerCommands() {
        for entry in writes.takeDue(at: now) {
            if case .settleCopies(let settlement) = entry.command {
                let command = LedgerCommand.settleCopies(renewed(settlement))
                writes.replace(entry.id, by: command)
                actions.append(.ledger(entry.id, command))
            } else if isStillWanted(entry.command) {
                actions.append(.ledger(entry.id, entry.command))
            } else {
                writes.drop(entry.id)
            }
        }
    }

    private func isStillWanted(_ command: LedgerCommand) -> Bool {
        switch command {
        case .publish(let index, let report, _, _):
            shard(index).map { $0.manifest == report.manifest && !$0.isCurrent } ?? false
        case .saveMargins(let name, _, _): snapshot.shards.contains { $0.adapter?.name == name }
        case .saveEmbeddings: snapshot.missingEmbeddings > 0
        case .partition: isPartitionDue && !snapshot.isImporting && snapshot.missingEmbeddings == 0
        case .tuneAttention: isTuningDue
        case .purge: snapshot.purgePending
        case .finishForget(let request, _): isFinishable(request)
        case .abandonCorrection(let index, let manifest, _):
            shard(index).map { $0.manifest == manifest && $0.correction != nil } ?? false
        case .quarantine(let dispute): shard(dispute.shard)?.adapter?.name == dispute.published
        case .dropDamaged(let name): snapshot.shards.contains { $0.adapter?.name == name || $0.correction != nil }
        case .forget, .requestTraining, .settleCopies, .forgetCopy: true
        }
    }

    // MARK: outcomes

    mutating func committed(_ id: LedgerCommandID, _ outcome: LedgerOutcome) {
        guard let entry = writes.end(id) else {
            // Asked for and dropped since; the commit counts all the same.
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: true) }
            return
        }
        if case .failed(let error) = outcome { return failed(entry, error) }
        switch (entry.command, outcome) {
        case (.forget(let request, _), .forgotten(let forgotten, let snapshot)):
            adopt(snapshot, dataChanged: true)
            forgetCommitted(request, forgotten)
        case (.finishForget(let request, _), .finished(let snapshot)):
            adopt(snapshot, dataChanged: false)
            forgetFinished(request)
        case (.forgetCopy(let request, let settlement), _):
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
            declared(request, settlement)
        case (.requestTraining(let request), _):
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
            accept(request)
        case (.publish(let shard, _, _, _), _):
            succeeded(.train(shard: shard))
            succeeded(.correct(shard: shard))
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        default:
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        }
    }

    private mutating func failed(_ entry: PendingWrites.Entry, _ error: ClientError) {
        switch (entry.command, error.code) {
        case (_, .unread):
            // It is committed. Nobody may be told otherwise, and nobody anything before what follows is known.
            log("the ledger could not be read after a commit")
            writes.keepForRetry(entry, error: error, at: now)
        case (.forget(let request, _), _), (.requestTraining(let request), _):
            refuse(request, error)
        case (.forgetCopy(let request, _), _): refuseDeclaration(request, error)
        case (.quarantine, .stale): break
        case (.publish, .stale), (.abandonCorrection, .stale),
            (.saveEmbeddings, .stale), (.saveMargins, .stale):
            break
        case (.publish(let shard, let report, _, let worker), .invalid):
            fail(report.isExact ? .train(shard: shard) : .correct(shard: shard), on: worker, error)
        case (.saveEmbeddings, .invalid):
            fail(.values(.embeddings), on: "", error)
        case (.saveMargins(let adapter, _, _), .invalid):
            fail(.values(.margins(adapter: adapter)), on: "", error)
        case (.settleCopies(let settlement), _) where isSettlementWaiting(of: settlement.worker):
            // The one that waits says everything that is known when it is tried again.
            log("the ledger could not write: \(error.code)")
        default:
            // Tried again until it succeeds or nobody wants it any more; what does not depend on it goes on. Results of
            // workers are bounded by `PendingWrites.obstacle`, everything else by being asked for once.
            log("the ledger could not write: \(error.code)")
            writes.keepForRetry(entry, error: error, at: now)
        }
    }

    /// The ledger looks again, and takes the adapter away; a worker that kept the training then sends it, or it is trained.
    mutating func dropDamaged(_ name: String) {
        guard !writes.contains(where: { $0 == .dropDamaged(adapter: name) }) else { return }
        log("the file of adapter \(name.clipped) is damaged or gone")
        write(.dropDamaged(adapter: name))
    }

    // MARK: the snapshot

    /// - Parameter dataChanged: prompts may have gone or come, also where no manifest shows it.
    mutating func adopt(_ new: LedgerSnapshot, dataChanged: Bool) {
        let old = snapshot
        snapshot = new
        if dataChanged {
            forgetMissingValues()
            // Failures belonged to data that is no longer the same.
            failures.removeAll { failure in
                switch failure.work {
                case .train, .correct, .prepare, .check, .values: true
                case .copy, .operation: false
                }
            }
        }
        adoptPendingForgets()
        if dataChanged || !haveSameShards(old, new) {
            restartReadingOperations()
            pinReplays()
        }
    }

    /// Whether every shard has the prompts and the adapter that it had.
    private func haveSameShards(_ old: LedgerSnapshot, _ new: LedgerSnapshot) -> Bool {
        old.shards.count == new.shards.count
            && zip(old.shards, new.shards).allSatisfy {
                $0.adapter?.name == $1.adapter?.name && $0.manifest == $1.manifest
            }
    }

    // MARK: work of the ledger itself

    mutating func orderLedgerWork() {
        loadMissingValues()
        if snapshot.purgePending, purgeNotBefore <= now, !writes.contains(where: { $0 == .purge }) {
            purgeNotBefore = now.advanced(bySeconds: CoordinatorLimits.ledgerRetrySeconds.lowerBound)
            write(.purge)
        }
        if isPartitionDue, !snapshot.isImporting, snapshot.missingEmbeddings == 0,
            !writes.contains(where: { $0 == .partition })
        {
            write(.partition)
        }
        if isTuningDue, tunedFor != tuningSubject, !writes.contains(where: { $0 == .tuneAttention }) {
            tunedFor = tuningSubject
            write(.tuneAttention)
        }
    }

    var tuningSubject: TuningSubject {
        TuningSubject(
            adapters: snapshot.shards.compactMap(\.adapter?.name), validation: snapshot.validationDigest)
    }

    private var isTuningDue: Bool {
        !snapshot.isTuned && snapshot.shards.contains { $0.adapter != nil } && hasWholeTable && !isPartitionDue
    }

    /// Nothing more is to be awaited before data and adapters are read: what is left to do for them, if anything, fails.
    var isSettled: Bool {
        (!isPartitionDue || isPartitionStuck) && !snapshot.isImporting && !isAnythingPublished && hasEveryAdapter
            && wantedValues.allSatisfy { kind in writes.isFailing { $0.saves(kind) } }
            && (isTuned || writes.isFailing { $0 == .tuneAttention } || !wantedValues.isEmpty)
    }

    private var hasEveryAdapter: Bool {
        snapshot.shards.allSatisfy { $0.isCurrent || !isToBeTrained($0) }
    }

    /// Every shard has its adapter, and every adapter its row of the error table.
    private var hasWholeTable: Bool {
        wantedValues.isEmpty && hasEveryAdapter
    }

    /// Like `wantsTraining`, but also while the result is on its way into the ledger.
    func isToBeTrained(_ shard: LedgerSnapshot.Shard) -> Bool {
        shard.prompts > 0 && !shard.isCurrent && (isForgetting(shard) || snapshot.trainingRequested)
    }

    /// Whether τ and n fit the adapters that are there, or need not.
    var isTuned: Bool {
        let asked = tunedFor == tuningSubject && !writes.contains { $0 == .tuneAttention }
        return snapshot.isTuned || asked || snapshot.shards.allSatisfy { $0.adapter == nil }
    }

    /// Nothing is left to do for the data and adapters.
    var isUpToDate: Bool {
        !isPartitionDue && !snapshot.isImporting && hasWholeTable && isTuned && !isAnythingPublished
    }

    private var isAnythingPublished: Bool {
        writes.contains {
            if case .publish = $0 { true } else { false }
        }
    }
}

extension LedgerOutcome {
    var snapshot: LedgerSnapshot? {
        switch self {
        case .committed(let snapshot), .forgotten(_, let snapshot), .finished(let snapshot): snapshot
        case .failed: nil
        }
    }
}
