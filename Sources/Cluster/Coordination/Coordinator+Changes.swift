import Messages

/// What changed, as the parts of the value noted it, brought to those who have to look at it.
extension Coordinator {
    /// What is the same for all shards and counts for each.
    struct Circumstances: Equatable, Sendable {
        var mayTrain: Bool
        var trainingRequested: Bool
        var weighsByRows: Bool
    }

    /// All shards and requests are to be looked at.
    mutating func noteEverything() {
        changes.note(snapshot.shards.map(\.index))
        forgetsToAdvance.formUnion(pendingForgets.all)
        forgetsToCheck.formUnion(pendingForgets.all)
        shardsToCheck.formUnion(snapshot.shards.map(\.index))
        index.areRowsTouched = true
        mustReconcile = true
    }

    /// Takes out what is due.
    mutating func ring() {
        for subject in alarms.take(at: now) {
            switch subject {
            case .anything: break
            case .everything: noteEverything()
            case .shard(let shard): changes.note(shard)
            case .request(let id): forgetsToAdvance.insert(id)
            case .copies(let worker):
                settlements.rang(for: worker)
                settleOwed(of: worker)
            }
        }
    }

    /// Whether there is something to look at, or it is time for something.
    var hasChanged: Bool {
        mustReconcile || operations.areReadersTouched || alarms.next.map { $0 <= now } ?? false
            || !tasks.touchedWorkers.isEmpty || !fleet.isEmpty
            || !roster.touchedWorkers.isEmpty || !roster.touchedShards.isEmpty || !writes.touched.isEmpty
    }

    /// Collects what changed.
    mutating func collect() {
        changes.note(tasks.touchedShards)
        changes.note(roster.touchedShards)
        changes.note(pendingForgets.touchedShards)
        if !checks.touched.isEmpty {
            changes.note(checks.touched)
            shardsToCheck.formUnion(checks.touched)
            checks.touched = []
        }
        collectWorkers()
        if !pendingForgets.touchedRequests.isEmpty {
            forgetsToAdvance.formUnion(pendingForgets.touchedRequests)
            forgetsToCheck.formUnion(pendingForgets.touchedRequests)
            pendingForgets.touchedRequests = []
        }
        if !writes.touched.isEmpty {
            for subject in writes.touched { note(subject) }
            writes.touched = []
        }
        // What is empty stays as it is, and what it has room for: most steps change nothing.
        tasks.touchedShards.removeAll(keepingCapacity: true)
        roster.touchedShards.removeAll(keepingCapacity: true)
        pendingForgets.touchedShards.removeAll(keepingCapacity: true)
    }

    private mutating func collectWorkers() {
        if !roster.touchedCapacities.isEmpty {
            // No shard is another one by it: what balance asks for moves.
            for worker in roster.touchedCapacities { setSeat(of: worker) }
            roster.touchedCapacities = []
            mustPlace = true
        }
        guard !tasks.touchedWorkers.isEmpty || !roster.touchedWorkers.isEmpty else { return }
        var previous: String?
        for worker in (tasks.touchedWorkers + roster.touchedWorkers).sorted() where worker != previous {
            noteLoad(of: worker)
            previous = worker
        }
        let membership = roster.touchedWorkers
        (tasks.touchedWorkers, roster.touchedWorkers) = ([], [])
        for worker in membership { noteMembership(of: worker) }
    }

    private mutating func noteLoad(of worker: String) {
        let load = tasks.load(of: worker)
        let works = roster.stance(of: worker) == .works
        free.set(worker, isIn: works && load.ids.count == load.copies)
        spare.set(
            worker, isIn: works && load.trainings == 0 && load.ids.count < CoordinatorLimits.tasksPerWorker)
    }

    private mutating func setSeat(of worker: String) {
        placement.set(worker, roster.stance(of: worker), roster[worker]?.capacity ?? WorkerCapacity())
    }

    /// A worker came or went, or takes another part.
    private mutating func noteMembership(of worker: String) {
        setSeat(of: worker)
        mustPlace = true
        changes.note(index.owned[worker] ?? [])
        changes.note(roster[worker]?.copies.map(\.shard) ?? [])
        // Who failed at something may be the only one left.
        for failure in failures { noteFailure(failure.work) }
        // Whether another worker could train what they want trained: of three one is neither the trainer nor the one that
        // failed at it last.
        if pendingForgets.hasReady, roster.workingCount < 3 || now < startedUntil {
            for shard in checks.open { forgetsToAdvance.formUnion(pendingForgets.ready(retraining: shard)) }
        }
    }

    private mutating func note(_ subject: LedgerCommand.Subject) {
        switch subject {
        case .publication(let shard), .correction(let shard), .dispute(let shard):
            changes.note(shard)
            if checks[shard] != nil { shardsToCheck.insert(shard) }
        case .rows(let adapter): changes.note(index.named[adapter] ?? [])
        case .end(let request): forgetsToAdvance.insert(request)
        case .copies(let worker): if !isSettling(worker) { staleCopies.settled(worker) }
        case .forget, .training, .embeddings, .partition, .tuning, .purge, .file, .declaration, .duty, .fleet: break
        }
    }

    /// Failures of the work were counted, or it may be tried again.
    mutating func noteFailure(_ work: WorkItem) {
        mustReconcile = true
        if let until = failure(of: work)?.pausedUntil { alarms.add(.anything, at: until) }
        switch work {
        case .train(let shard), .correct(let shard):
            changes.note(shard)
            forgetsToAdvance.formUnion(pendingForgets.waiting(for: shard))
        case .prepare(let shard), .copy(let shard), .check(let shard): changes.note(shard)
        case .values(let kind):
            index.areRowsTouched = true
            if case .margins(let adapter) = kind { changes.note(index.named[adapter] ?? []) }
        case .operation: break
        }
    }

    /// Brings facts of shards up to date with what changed.
    mutating func refresh() {
        collect()
        let new = Circumstances(
            mayTrain: snapshot.trainingRequested && !snapshot.isImporting && (!isPartitionDue || isPartitionStuck),
            trainingRequested: snapshot.trainingRequested, weighsByRows: snapshot.weighsByRows)
        if new != circumstances {
            circumstances = new
            changes.note(snapshot.shards.map(\.index))
        }
        for number in changes.take(.facts) {
            noteStaleCopies(of: number)
            noteAnswer(of: number)
            index.set(facts(of: number), of: number)
        }
    }

    private func facts(of number: Int) -> ShardFacts {
        guard let shard = shard(number) else { return ShardFacts() }
        var facts = ShardFacts(owner: owners[number], adapter: shard.adapter?.name)
        facts.isLagging = isToBeTrained(shard)
        let isFree = !tasks.isBusy(number)
        facts.isTrainable = isFree && wantsTraining(shard)
        let copy = facts.owner.flatMap { roster.copy(of: number, at: $0) }
        let isExact = copy?.isExactly(shard.manifest) ?? false
        let isReleased = copy?.releaseSent != nil
        let isKeepable = isFree && shard.prompts > 0 && shard.isCurrent && !isReleased
        facts.isToBeKept = isKeepable && (!isExact || isToBeSettled(of: number))
        facts.isInherited = facts.isToBeKept && isInherited(number)
        facts.isOutdated = isFree && shard.prompts > 0 && copy != nil && !isExact && !isReleased
        facts.asked = workerToAsk(for: shard)
        if let adapter = shard.adapter, adapter.missingMargins > 0, snapshot.weighsByRows || !shard.isBridged {
            facts.row = isAwaitedRow(of: shard) ? .awaited : .missing
        }
        if isWantedCheck(shard: number, manifest: shard.manifest), !tasks.isWorked(on: .check(shard: number)) {
            facts.check = checks.sequence(of: number)
        }
        return facts
    }
}
