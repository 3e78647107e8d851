import Messages

/// What every shard needs, who owns it, and which copies must go.
extension Coordinator {
    func shard(_ index: Int) -> LedgerSnapshot.Shard? {
        // Every shard is there, by index.
        guard snapshot.shards.indices.contains(index), snapshot.shards[index].index == index else {
            return snapshot.shards.first { $0.index == index }
        }
        return snapshot.shards[index]
    }

    /// Whether the partition has to give prompts a shard before more is trained.
    var isPartitionDue: Bool {
        snapshot.trainingRequested && snapshot.unassignedPrompts > 0
    }

    /// Whether the partition, or the embeddings that it needs, fail again and again. Only prompts without a shard wait then.
    var isPartitionStuck: Bool {
        isPartitionDue
            && (writes.isFailing(.partition) || writes.isFailing(.embeddings)
                || exhausted { $0 == .values(.embeddings) } != nil)
    }

    /// Whether the shard is to be trained and the result is not on its way into the ledger.
    func wantsTraining(_ shard: LedgerSnapshot.Shard) -> Bool {
        guard shard.prompts > 0, !shard.isCurrent, !isGivingUpCorrection(of: shard), !isDisputed(shard) else {
            return false
        }
        guard !writes.isPublishing(shard: shard.index, manifest: shard.manifest) else { return false }
        return isForgetting(shard)
            || (snapshot.trainingRequested && !snapshot.isImporting && (!isPartitionDue || isPartitionStuck))
    }

    /// Whether a forget request waits for the shard.
    func isForgetting(_ shard: LedgerSnapshot.Shard) -> Bool {
        shard.quarantinedSince != nil || pendingForgets.waitingFor.contains(shard.index)
    }

    // MARK: ownership

    mutating func placeShards() {
        refresh()
        let changed = changes.take(.placement)
        guard mustPlace || !changed.isEmpty else { return }
        mustPlace = false
        let isAnybodyExpected = roster.isAnybodyExpected(at: now)
        var reserved: [Int: String] = [:]
        let shards = changed.map { number -> (index: Int, shard: ShardPlacement.Shard?) in
            guard let shard = shard(number), shard.prompts > 0 else { return (number, nil) }
            let task = taskOnShard(number)
            if let task, task.awaitedUntil != nil {
                reserved[number] = task.worker
                return (number, nil)
            }
            if task == nil, isAnybodyExpected, isAwaited(shard) { return (number, nil) }
            let here = roster.liveHolders(of: number)
            return (
                number,
                ShardPlacement.Shard(
                    index: number, owner: owners[number], busy: task != nil || isBound(shard),
                    wanted: wantsTraining(shard),
                    holders: here.filter { roster.holds($0, shard: number, manifest: shard.manifest) },
                    partial: here, avoid: failure(of: shard.work)?.worker)
            )
        }
        for (number, owner) in placement.place(shards) {
            let owner = owner ?? reserved[number]
            guard owners[number] != owner else { continue }
            owners[number] = owner
            changes.note(number)
        }
    }

    /// The task that changes the shard's copy on its owner.
    func taskOnShard(_ index: Int) -> CoordinatorTask? { tasks.task(onShard: index) }

    // MARK: copies

    /// Makes workers delete what they should not hold (any more): copies of shards that others own, as soon as those have
    /// the data, and at once what is no current data at all.
    mutating func releaseCopies() {
        var copies: [(worker: String, shard: Int)] = []
        for shard in changes.take(.releases) {
            for holder in roster.holders(of: shard) where roster.isLive(holder) { copies.append((holder, shard)) }
        }
        for (id, shard) in copies.sorted(by: { $0 < $1 }) {
            guard let worker = roster[id], let peer = worker.peer, let copy = worker.copy(of: shard) else { continue }
            guard isToRelease(copy, of: worker) else {
                endHold(of: copy, by: worker)
                continue
            }
            if holdsBack(copy, of: worker) { continue }
            let due = copy.releaseSent.map { now.seconds(since: $0) >= CoordinatorLimits.releaseAgainSeconds }
            guard due ?? true else { continue }
            var asked = copy
            asked.releaseSent = now
            asked.releaseBegan = copy.releaseBegan ?? now
            asked.releases += 1
            roster.update(id) { $0.setCopy(asked) }
            alarms.add(.shard(shard), at: now.advanced(bySeconds: CoordinatorLimits.releaseAgainSeconds))
            send(.release(shard: shard), to: peer)
        }
    }

    /// Whether a forget request that is pending concerns the worker's copy of the shard.
    private func isAwaitedCopy(of shard: Int, at worker: String) -> Bool {
        guard let first = staleCopies.first(of: worker, shard: shard), let newest = pendingForgets.newest else {
            return false
        }
        return first <= newest
    }

    /// Brings copies that hold something forgotten up to date where nothing else does it now: their worker trains another
    /// shard, or the shard cannot be trained yet. Nothing is computed for it.
    mutating func giveStaleCopies() {
        guard pendingForgets.newest != nil, !staleCopies.isEmpty, !index.outdated.isEmpty else { return }
        for id in index.outdated.keys.sorted() where tasks.load(of: id).copies == 0 {
            guard let worker = roster[id], let peer = worker.peer,
                let shard = outdatedShard(at: worker)
            else { continue }
            let task = give(.copy(shard: shard.index, manifest: shard.manifest), to: worker)
            roster.update(id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
            let adapter = shard.isCurrent ? shard.adapter?.name : nil
            noteOffering(StageSource(worker: id), for: shard.index)
            // Without an adapter the data is only brought up to date: then nothing is said of stages.
            if adapter != nil { tasks.noteIsToSayLacking(task) }
            dispatch(
                .assign(
                    task: task, shard: shard.index, manifest: shard.manifest,
                    specification: settings.configuration.training, adapter: adapter ?? "", to: worker.holder),
                to: peer)
        }
    }

    private func outdatedShard(at worker: KnownWorker) -> LedgerSnapshot.Shard? {
        firstShard(of: index.outdated[worker.id]) { isOutdated($0, at: worker) }
    }

    private func isOutdated(_ shard: LedgerSnapshot.Shard, at worker: KnownWorker) -> Bool {
        guard shard.prompts > 0, owners[shard.index] == worker.id, let copy = worker.copy(of: shard.index),
            copy.releaseSent == nil, !copy.isExactly(shard.manifest), !tasks.isBusy(shard.index)
        else { return false }
        return failure(of: .copy(shard: shard.index)) == nil && isAwaitedCopy(of: shard.index, at: worker.id)
    }

    /// Whether the worker was told to delete the copy and has not answered for as long as a request waits.
    func isUnanswered(_ copy: KnownCopy) -> Bool {
        copy.releaseBegan.map { now.seconds(since: $0) >= CoordinatorLimits.releaseSeconds } ?? false
    }

    private func isToRelease(_ copy: KnownCopy, of worker: KnownWorker) -> Bool {
        // Once told to delete, it is told until it did: the copy's state is unknown in between.
        if copy.releaseSent != nil { return true }
        // Who is drained leaves nothing behind; what it works on goes when that is done.
        if worker.duty == .drain { return !tasks.tasks(of: worker.id).contains { $0.touches(copy.shard) } }
        guard let shard = shard(copy.shard), shard.prompts > 0 else { return true }
        let isStale = !copy.isExactly(shard.manifest)
        guard let owner = owners[shard.index], roster.isLive(owner) else { return isStale }
        if owner != worker.id {
            // While the owner trains, a copy elsewhere is of no use; a worker that trains the same gives it up.
            return isStale || !shard.isCurrent || roster.holds(owner, shard: shard.index, manifest: shard.manifest)
        }
        // A request that concerns it need not wait until it can be brought up to date.
        let cannotBeUpdated = !tasks.isBusy(shard.index) && failure(of: .copy(shard: shard.index)) != nil
        if isStale, cannotBeUpdated, isAwaitedCopy(of: shard.index, at: worker.id) { return true }
        // The owner's stale copy is brought up to date by an assignment, if there is going to be one.
        let isPending =
            shard.isCurrent || wantsTraining(shard) || tasks.isBusy(shard.index) || snapshot.trainingRequested
        return isStale && !isPending
    }

    mutating func confirm(_ copy: ShardCopy, of worker: KnownWorker) {
        settle(worker, copy)
        for task in tasks.tasks(of: worker.id) {
            if let wanted = task.copy, wanted == (copy.shard, copy.manifest) {
                // It was there without a prompt being asked for: part of what the worker had.
                tasks.noteData(of: task.id)
            }
            if case .copy(copy.shard, copy.manifest) = task.kind {
                tasks.remove(task.id)
                if task.isToSayLacking {
                    exchanges.noteGiven(copy.shard, to: worker.id, manifest: copy.manifest)
                }
            }
        }
    }

    /// A trained shard whose data the worker should take into its keeping now.
    ///
    /// - `isInherited`: whether only those count of which a drained worker has stages.
    func shardToKeep(by worker: KnownWorker, isInherited: Bool = false) -> LedgerSnapshot.Shard? {
        let settled = now.seconds(since: membershipChanged) >= CoordinatorLimits.settleSeconds
        return firstShard(of: (isInherited ? index.inherited : index.toBeKept)[worker.id]) { shard in
            guard shard.prompts > 0, shard.isCurrent, owners[shard.index] == worker.id,
                !isPaused(.copy(shard: shard.index)), !tasks.isBusy(shard.index)
            else { return false }
            guard let copy = worker.copy(of: shard.index) else { return settled }
            guard copy.releaseSent == nil else { return false }
            // What it has may be forgotten data: no delay.
            return !copy.isExactly(shard.manifest) || (settled && isToBeSettled(copy, of: worker))
        }
    }

    /// A shard that the worker should train or correct now: first those that forget requests wait for; a correction before
    /// trainings, but not twice in a row; of several the one whose last turn is longest ago. A shard whose data changes
    /// again and again, and whose training begins anew each time, so does not keep the others waiting.
    ///
    /// None while the ledger cannot keep adapters.
    func shardToTrain(by worker: KnownWorker) -> LedgerSnapshot.Shard? {
        guard let candidates = index.trainable[worker.id], !writes.isHeld(.adapters) else { return nil }
        var training: (turn: Turn, shard: LedgerSnapshot.Shard)?
        var correction: (turn: Turn, shard: LedgerSnapshot.Shard)?
        for number in candidates where !tasks.isBusy(number) {
            guard worker.copy(of: number)?.releaseSent == nil, let shard = shard(number), !isPaused(shard.work),
                !isWaitingForRows(shard)
            else { continue }
            let turn = turn(of: shard, at: worker)
            if shard.correction == nil {
                if training.map({ turn < $0.turn }) ?? true { training = (turn, shard) }
            } else {
                if correction.map({ turn < $0.turn }) ?? true { correction = (turn, shard) }
            }
        }
        return (worker.correctedLast ? training ?? correction : correction ?? training)?.shard
    }

    /// The first of the shards, by index, for which it holds.
    func firstShard(
        of numbers: Set<Int>?, where condition: (LedgerSnapshot.Shard) -> Bool
    ) -> LedgerSnapshot.Shard? {
        for number in numbers?.sorted() ?? [] {
            if let shard = shard(number), condition(shard) { return shard }
        }
        return nil
    }

    /// Smaller comes first; no two shards have the same.
    private typealias Turn = (Int, TaskID, Int, Int)

    private func turn(of shard: LedgerSnapshot.Shard, at worker: KnownWorker) -> Turn {
        let holds = worker.holds(shard: shard.index, manifest: shard.manifest)
        return (isForgetting(shard) ? 0 : 1, lastTrainings[shard.index] ?? 0, holds ? 0 : 1, shard.index)
    }
}

extension CoordinatorTask {
    /// The shard whose copy on the worker's disk the task changes.
    var shardOfCopy: Int? { copy?.shard }

    /// What the worker's disk will hold by the task.
    var copy: (shard: Int, manifest: String)? {
        switch kind {
        case .train(let shard, let manifest), .correct(let shard, let manifest), .copy(let shard, let manifest):
            (shard, manifest)
        case .prepare, .values, .part, .check: nil
        }
    }

    /// Whether it needs the shard's copy on the worker's disk.
    func touches(_ shard: Int) -> Bool {
        if case .prepare(shard, _, _) = kind { true } else { shardOfCopy == shard }
    }
}
