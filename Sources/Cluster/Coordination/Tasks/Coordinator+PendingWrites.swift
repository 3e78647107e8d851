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
            } else if case .noteWorkers(let records, let gone) = entry.command {
                let command = renewed(records, gone: gone)
                writes.replace(entry.id, by: command)
                actions.append(.ledger(entry.id, command))
            } else if isStillWanted(entry.command) {
                if case .purge = entry.command { purges.began(at: now) }
                actions.append(.ledger(entry.id, entry.command))
            } else {
                writes.drop(entry.id)
                mustReconcile = true
            }
        }
    }

    private func isStillWanted(_ command: LedgerCommand) -> Bool {
        switch command {
        // Whether it is a stage of what the shard holds now is the ledger's to say.
        case .publish(let index, let report, _, _) where report.isStage: shard(index).map(lacksStage) ?? false
        case .publish(let index, let report, _, _):
            shard(index).map { $0.manifest == report.manifest && !$0.isCurrent } ?? false
        case .saveMargins(let name, _, _): index.named[name] != nil
        case .saveEmbeddings: snapshot.missingEmbeddings > 0
        case .partition: isPartitionDue && !snapshot.isImporting && snapshot.missingEmbeddings == 0
        case .tuneAttention: isTuningDue
        case .purge: snapshot.purgePending
        case .finishForget(let request, _): isFinishable(request)
        case .abandonCorrection(let index, let manifest, _):
            shard(index).map { $0.manifest == manifest && $0.correction != nil } ?? false
        case .quarantine(let dispute): shard(dispute.shard)?.adapter?.name == dispute.published
        case .withdrawStage(let index, let name):
            shard(index).map { $0.isStaged && $0.adapter?.name == name } ?? false || writes.mayServe(name, for: index)
        case .dropDamaged(let name):
            index.named[name] != nil || snapshot.shards.contains { $0.correction != nil }
        case .forget, .requestTraining, .settleCopies, .forgetCopy, .noteWorkers, .setDuty: true
        }
    }

    // MARK: outcomes

    mutating func committed(_ id: LedgerCommandID, _ outcome: LedgerOutcome) {
        guard let entry = writes.end(id) else {
            // Asked for and dropped since; the commit counts all the same.
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: true) }
            return
        }
        defer { if case .settleCopies(let settlement) = entry.command { settleOwed(of: settlement.worker) } }
        if case .failed(let error) = outcome { return failed(entry, error) }
        switch (entry.command, outcome) {
        case (.forget(let request, _), .forgotten(let forgotten, let snapshot)):
            adopt(snapshot, dataChanged: true)
            forgetCommitted(request, forgotten)
        case (.finishForget(let request, _), .finished(let snapshot)):
            let unconfirmed = unconfirmed(request).count
            adopt(snapshot, dataChanged: false)
            forgetFinished(request, unconfirmed: unconfirmed)
        case (.forgetCopy(let word, let settlement), _):
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
            declared(word, settlement)
        case (.setDuty(let word, let record), _):
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
            ordered(word, record)
        case (.requestTraining(let request), _):
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
            accept(request)
        case (.purge, _):
            purges.ended(at: now)
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        case (.publish(_, let report, _, _), _) where report.isStage:
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        case (.publish(let shard, _, _, _), _):
            succeeded(.train(shard: shard))
            succeeded(.correct(shard: shard))
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        default:
            if let snapshot = outcome.snapshot { adopt(snapshot, dataChanged: false) }
        }
    }

    private mutating func failed(_ entry: PendingWrites.Entry, _ error: ClientError) {
        if case .purge = entry.command { purges.ended(at: now) }
        if error.code == .unread {
            // It is committed. Nobody may be told otherwise, and nobody anything before what follows is known.
            log("the ledger could not be read after a commit")
            // What takes it back is behind it: done once more after that it would count again.
            return entry.isTakenBack ? writes.doubt(entry) : retryLater(entry, error)
        }
        if entry.isTakenBack { return }
        switch (entry.command, error.code) {
        case (.forget(let request, _), _), (.requestTraining(let request), _):
            refuse(request, error)
        case (.forgetCopy(let word, _), _), (.setDuty(let word, _), _): refuse(word, error)
        case (.quarantine, .stale): break
        case (.publish, .stale), (.abandonCorrection, .stale),
            (.saveEmbeddings, .stale), (.saveMargins, .stale):
            break
        case (.publish(let shard, let report, _, _), .invalid) where report.isStage:
            noteTakenBack(of: shard)
            log("a stage does not answer: \(error.message)")
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
            retryLater(entry, error)
        }
    }

    private mutating func retryLater(_ entry: PendingWrites.Entry, _ error: ClientError) {
        // A purge that fails holds everybody up for as long as one that does not.
        let isPurge = if case .purge = entry.command { true } else { false }
        let earliest = isPurge ? purges.notBefore : now
        alarms.add(.anything, at: writes.keepForRetry(entry, error: error, at: now, notBefore: earliest))
    }

    /// The ledger looks again, and takes the adapter away; a worker that kept the training then sends it, or it is trained.
    mutating func dropDamaged(_ name: String) {
        guard !writes.has(.file(adapter: name)) else { return }
        log("the file of adapter \(name.clipped) is damaged or gone")
        write(.dropDamaged(adapter: name))
    }

    // MARK: the snapshot

    /// - Parameter dataChanged: prompts may have gone or come, also where no manifest shows it.
    mutating func adopt(_ new: LedgerSnapshot, dataChanged: Bool) {
        // It is of after all commits that are heard of.
        writes.endDoubts()
        let (hadPurge, newest) = (snapshot.purgePending, pendingForgets.newest)
        let failed = dataChanged ? failures.map { ($0.work, data(of: $0.work)) } : []
        let (shards, haveOtherAdapters, gone, requests) = take(new)
        changes.note(shards)
        shardsToCheck.formUnion(shards)
        for shard in shards { noteStaleCopies(of: shard) }
        if newest != pendingForgets.newest { noteFailedCopies() }
        if hadPurge, !new.purgePending { forgetsToAdvance.formUnion(pendingForgets.ready) }
        if dataChanged {
            doubtMissingValues()
            // Failures belonged to data that is no longer the same; those of other shards count on.
            let outdated = failed.filter { work, before in
                switch work {
                case .train, .correct, .prepare, .check: data(of: work) != before
                // What fails at some prompt is told from what fails at all only by trying again, which it is after a while.
                case .values(let kind): !mayBeMissing(kind)
                case .copy, .operation: false
                }
            }.map(\.0)
            if !outdated.isEmpty { failures.removeAll { outdated.contains($0.work) } }
            for work in outdated { noteFailure(work) }
        }
        adopt(requests)
        guard operations.hasReaders, dataChanged || haveOtherAdapters else { return }
        restartReadingOperations(gone: gone)
        pinReplays()
    }

    private func mayBeMissing(_ kind: MissingValues) -> Bool {
        switch kind {
        case .embeddings: snapshot.missingEmbeddings > 0
        case .margins(let name): snapshot.shards.contains { $0.adapter?.name == name }
        }
    }

    /// What work on a shard is a function of, as far as forget requests and imports change it; nil: it is not on one shard.
    private func data(of work: WorkItem) -> WorkedData? {
        switch work {
        case .train(let index), .correct(let index), .prepare(let index), .check(let index):
            shard(index).map { WorkedData(manifest: $0.manifest, correction: $0.correction?.rawValue) }
        case .values, .copy, .operation: nil
        }
    }

    private struct WorkedData: Equatable {
        var manifest: String
        var correction: String?
    }

    /// What cannot be brought up to date is deleted as soon as it concerns a request, whichever shards that is about.
    private mutating func noteFailedCopies() {
        for failure in failures { if case .copy(let shard) = failure.work { changes.note(shard) } }
    }

    // MARK: work of the ledger itself

    mutating func orderLedgerWork() {
        loadMissingValues()
        askForGonePrompts()
        noteFleet()
        if snapshot.purgePending, !writes.has(.purge) {
            if purges.notBefore <= now {
                purges.began(at: now)
                write(.purge)
            } else {
                alarms.add(.anything, at: purges.notBefore)
            }
        }
        if isPartitionDue, !snapshot.isImporting, snapshot.missingEmbeddings == 0, !writes.has(.partition) {
            write(.partition)
        }
        if isTuningDue, tunedFor != tuningSubject, !writes.has(.tuning) {
            tunedFor = tuningSubject
            write(.tuneAttention)
        }
    }

    var tuningSubject: TuningSubject {
        TuningSubject(adapters: index.revision, validation: snapshot.validationDigest)
    }

    private var isTuningDue: Bool {
        !snapshot.isTuned && !index.named.isEmpty && hasWholeTable && !isPartitionDue
    }

    /// Nothing more is to be awaited before data and adapters are read: what is left to do for them, if anything, fails.
    var isSettled: Bool {
        (!isPartitionDue || isPartitionStuck) && !snapshot.isImporting && writes.publications == 0
            && index.lagging.isEmpty && isEveryMissingRowFailing
            && (isTuned || writes.isFailing(.tuning) || missesValues)
    }

    private var isEveryMissingRowFailing: Bool {
        guard missesValues else { return true }
        return (snapshot.missingEmbeddings == 0 || writes.isFailing(.embeddings))
            && (index.awaitedRows + index.missingRows).allSatisfy { number in
                shard(number)?.adapter.map { writes.isFailing(.rows(adapter: $0.name)) } ?? true
            }
    }

    /// Every shard has its adapter, and every adapter its row of the error table.
    private var hasWholeTable: Bool { !missesValues && index.lagging.isEmpty }

    /// Like `wantsTraining`, but also while the result is on its way into the ledger.
    func isToBeTrained(_ shard: LedgerSnapshot.Shard) -> Bool {
        shard.prompts > 0 && !shard.isCurrent && (isForgetting(shard) || snapshot.trainingRequested)
    }

    /// Whether τ and n fit the adapters that are there, or need not.
    var isTuned: Bool {
        let asked = tunedFor == tuningSubject && !writes.has(.tuning)
        return snapshot.isTuned || asked || index.named.isEmpty
    }

    /// Nothing is left to do for the data and adapters.
    var isUpToDate: Bool {
        !isPartitionDue && !snapshot.isImporting && hasWholeTable && isTuned && writes.publications == 0
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
