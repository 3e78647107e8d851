import Messages

/// What every shard needs, who owns it, and which copies must go.
extension Coordinator {
    func shard(_ index: Int) -> LedgerSnapshot.Shard? {
        snapshot.shards.first { $0.index == index }
    }

    /// Whether the partition has to give prompts a shard before more is trained.
    var isPartitionDue: Bool {
        snapshot.trainingRequested && snapshot.unassignedPrompts > 0
    }

    /// Whether the shard is to be trained and the result is not on its way into the ledger.
    func wantsTraining(_ shard: LedgerSnapshot.Shard) -> Bool {
        guard shard.prompts > 0, !shard.isCurrent, !isGivingUpCorrection(of: shard), !isDisputed(shard) else {
            return false
        }
        guard !writes.isPublishing(shard: shard.index, manifest: shard.manifest) else { return false }
        return isForgetting(shard) || (snapshot.trainingRequested && !isPartitionDue && !snapshot.isImporting)
    }

    /// Whether a forget request waits for the shard.
    func isForgetting(_ shard: LedgerSnapshot.Shard) -> Bool {
        shard.quarantinedSince != nil || snapshot.pendingForgets.contains { $0.waitingFor.contains(shard.index) }
    }

    // MARK: ownership

    mutating func placeShards() {
        let workers = roster.live
        let shards = snapshot.shards.filter { $0.prompts > 0 }.map { shard in
            ShardPlacement.Shard(
                index: shard.index, owner: owners[shard.index], busy: taskOnShard(shard.index) != nil,
                wanted: wantsTraining(shard),
                holders: workers.filter { $0.holds(shard: shard.index, manifest: shard.manifest) }.map(\.id),
                partial: workers.filter { $0.copy(of: shard.index) != nil }.map(\.id),
                avoid: failure(of: shard.work)?.worker)
        }
        owners = ShardPlacement(shards: shards, workers: workers.map(\.id)).owners
    }

    /// The task that changes the shard's copy on its owner.
    func taskOnShard(_ index: Int) -> CoordinatorTask? {
        tasks.first { $0.shardOfCopy == index }
    }

    // MARK: copies

    /// Makes workers delete what they should not hold (any more): copies of shards that others own, as soon as those have
    /// the data, and at once what is no current data at all.
    mutating func releaseCopies() {
        for worker in roster.live {
            guard let peer = worker.peer else { continue }
            for copy in worker.copies where isToRelease(copy, of: worker) {
                let due = copy.releaseSent.map { now.seconds(since: $0) >= CoordinatorLimits.releaseAgainSeconds }
                guard due ?? true else { continue }
                var asked = copy
                asked.releaseSent = now
                roster.update(worker.id) { $0.setCopy(asked) }
                send(.release(shard: copy.shard), to: peer)
            }
        }
    }

    private func isToRelease(_ copy: KnownCopy, of worker: KnownWorker) -> Bool {
        // Once told to delete, it is told until it did: the copy's state is unknown in between.
        if copy.releaseSent != nil { return true }
        guard let shard = shard(copy.shard), shard.prompts > 0 else { return true }
        let isStale = !copy.isExactly(shard.manifest)
        guard let owner = owners[shard.index].flatMap({ roster[$0] }) else { return isStale }
        if owner.id != worker.id {
            // While the owner trains, a copy elsewhere is of no use; a worker that trains the same gives it up.
            return isStale || !shard.isCurrent || owner.holds(shard: shard.index, manifest: shard.manifest)
        }
        // The owner's stale copy is brought up to date by an assignment, if there is going to be one.
        let isPending =
            shard.isCurrent || wantsTraining(shard) || taskOnShard(shard.index) != nil || snapshot.trainingRequested
        return isStale && !isPending
    }

    mutating func confirm(_ copy: ShardCopy, of worker: KnownWorker) {
        settle(worker, copy)
        tasks.removeAll { task in
            guard case .copy(let shard, let manifest) = task.kind, task.worker == worker.id else { return false }
            return shard == copy.shard && manifest == copy.manifest
        }
    }

    /// A trained shard whose data the worker should take into its keeping now.
    func shardToKeep(by worker: KnownWorker) -> LedgerSnapshot.Shard? {
        let settled = now.seconds(since: membershipChanged) >= CoordinatorLimits.settleSeconds
        return snapshot.shards.first { shard in
            guard shard.prompts > 0, shard.isCurrent, owners[shard.index] == worker.id,
                !isPaused(.copy(shard: shard.index)), taskOnShard(shard.index) == nil
            else { return false }
            guard let copy = worker.copy(of: shard.index) else { return settled }
            // What it has may be forgotten data: no delay.
            return !copy.isExactly(shard.manifest) && copy.releaseSent == nil
        }
    }

    /// A shard that the worker should train or correct now: corrections first.
    func shardToTrain(by worker: KnownWorker) -> LedgerSnapshot.Shard? {
        let shards = snapshot.shards.filter { shard in
            owners[shard.index] == worker.id && wantsTraining(shard) && !isPaused(shard.work)
                && taskOnShard(shard.index) == nil && worker.copy(of: shard.index)?.releaseSent == nil
        }
        if let corrected = shards.first(where: { $0.correction != nil }) { return corrected }
        return snapshot.shards.contains(where: isWaitingForRows) ? nil : shards.first
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
}
