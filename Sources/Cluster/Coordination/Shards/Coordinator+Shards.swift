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
            && (writes.isFailing { $0 == .partition || $0.saves(.embeddings) }
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
        let workers = roster.live
        var reserved: [Int: String] = [:]
        var holders: [Int: [(worker: String, copy: KnownCopy)]] = [:]
        for worker in workers {
            for copy in worker.copies { holders[copy.shard, default: []].append((worker.id, copy)) }
        }
        var busy: [Int: CoordinatorTask] = [:]
        for task in tasks { if let shard = task.shardOfCopy { busy[shard] = busy[shard] ?? task } }
        let isAnybodyExpected = roster.isAnybodyExpected(at: now)
        let shards = snapshot.shards.filter { $0.prompts > 0 }.compactMap { shard -> ShardPlacement.Shard? in
            let task = busy[shard.index]
            let here = holders[shard.index] ?? []
            if let task, task.awaitedUntil != nil {
                reserved[shard.index] = task.worker
                return nil
            }
            if task == nil, isAnybodyExpected, isAwaited(shard) { return nil }
            return ShardPlacement.Shard(
                index: shard.index, owner: owners[shard.index], busy: task != nil,
                wanted: wantsTraining(shard),
                holders: here.filter { $0.copy.isExactly(shard.manifest) }.map(\.worker), partial: here.map(\.worker),
                avoid: failure(of: shard.work)?.worker)
        }
        owners = ShardPlacement(shards: shards, workers: workers.map(\.id)).owners.merging(reserved) { $1 }
    }

    /// The task that changes the shard's copy on its owner.
    func taskOnShard(_ index: Int) -> CoordinatorTask? {
        tasks.first { $0.shardOfCopy == index }
    }

    // MARK: copies

    /// Makes workers delete what they should not hold (any more): copies of shards that others own, as soon as those have
    /// the data, and at once what is no current data at all.
    mutating func releaseCopies() {
        let awaited = awaitedCopies
        for worker in roster.live {
            guard let peer = worker.peer else { continue }
            for copy in worker.copies where isToRelease(copy, of: worker, awaited: awaited) {
                let due = copy.releaseSent.map { now.seconds(since: $0) >= CoordinatorLimits.releaseAgainSeconds }
                guard due ?? true else { continue }
                var asked = copy
                asked.releaseSent = now
                asked.releaseBegan = copy.releaseBegan ?? now
                asked.releases += 1
                roster.update(worker.id) { $0.setCopy(asked) }
                send(.release(shard: copy.shard), to: peer)
            }
        }
    }

    /// Copies of workers that forget requests concern.
    private var awaitedCopies: [UnconfirmedCopy] {
        guard roster.hasLive else { return [] }
        return operations.inOrder(operations.suspecting).flatMap { operation -> [UnconfirmedCopy] in
            guard pendingForget(operation.id) != nil, case .forget(let forgetting) = operation.course else { return [] }
            return unconfirmed(forgetting)
        }
    }

    /// Brings copies that hold something forgotten up to date where nothing else does it now: their worker trains another
    /// shard, or the shard cannot be trained yet. Nothing is computed for it.
    mutating func giveStaleCopies() {
        let awaited = awaitedCopies
        guard !awaited.isEmpty else { return }
        for worker in roster.live where !tasks.contains(where: { $0.worker == worker.id && $0.isCopy }) {
            guard let peer = worker.peer,
                let shard = snapshot.shards.first(where: { isOutdated($0, at: worker, awaited) })
            else { continue }
            let id = give(.copy(shard: shard.index, manifest: shard.manifest), to: worker)
            roster.update(worker.id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
            let adapter = shard.isCurrent ? shard.adapter?.name : nil
            dispatch(
                .assign(
                    task: id, shard: shard.index, manifest: shard.manifest,
                    specification: settings.configuration.training, adapter: adapter ?? "", to: worker.holder),
                to: peer)
        }
    }

    private func isOutdated(
        _ shard: LedgerSnapshot.Shard, at worker: KnownWorker, _ awaited: [UnconfirmedCopy]
    ) -> Bool {
        guard shard.prompts > 0, owners[shard.index] == worker.id, let copy = worker.copy(of: shard.index),
            copy.releaseSent == nil, !copy.isExactly(shard.manifest), taskOnShard(shard.index) == nil
        else { return false }
        return failure(of: .copy(shard: shard.index)) == nil
            && awaited.contains { $0.worker == worker.id && $0.shard == shard.index }
    }

    /// Whether the worker was told to delete the copy and has not answered for as long as a request waits.
    func isUnanswered(_ copy: KnownCopy) -> Bool {
        copy.releaseBegan.map { now.seconds(since: $0) >= CoordinatorLimits.releaseSeconds } ?? false
    }

    private func isToRelease(_ copy: KnownCopy, of worker: KnownWorker, awaited: [UnconfirmedCopy]) -> Bool {
        // Once told to delete, it is told until it did: the copy's state is unknown in between.
        if copy.releaseSent != nil { return true }
        guard let shard = shard(copy.shard), shard.prompts > 0 else { return true }
        let isStale = !copy.isExactly(shard.manifest)
        guard let owner = owners[shard.index].flatMap({ roster[$0] }), owner.isLive else { return isStale }
        if owner.id != worker.id {
            // While the owner trains, a copy elsewhere is of no use; a worker that trains the same gives it up.
            return isStale || !shard.isCurrent || owner.holds(shard: shard.index, manifest: shard.manifest)
        }
        // A request that concerns it need not wait until it can be brought up to date.
        let cannotBeUpdated = taskOnShard(shard.index) == nil && failure(of: .copy(shard: shard.index)) != nil
        if isStale, cannotBeUpdated, awaited.contains(where: { $0.worker == worker.id && $0.shard == copy.shard }) {
            return true
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

    /// A shard that the worker should train or correct now: first those that forget requests wait for; a correction before
    /// trainings, but not twice in a row; of several the one whose last turn is longest ago. A shard whose data changes
    /// again and again, and whose training begins anew each time, so does not keep the others waiting.
    ///
    /// None while the ledger cannot keep adapters.
    func shardToTrain(by worker: KnownWorker) -> LedgerSnapshot.Shard? {
        guard !writes.isHeld(.adapters) else { return nil }
        let shards = snapshot.shards.filter { shard in
            owners[shard.index] == worker.id && wantsTraining(shard) && !isPaused(shard.work)
                && !isWaitingForRows(shard)
                && taskOnShard(shard.index) == nil && worker.copy(of: shard.index)?.releaseSent == nil
        }
        func next(_ shards: [LedgerSnapshot.Shard]) -> LedgerSnapshot.Shard? {
            shards.min { turn(of: $0, at: worker) < turn(of: $1, at: worker) }
        }
        let training = next(shards.filter { $0.correction == nil })
        let correction = next(shards.filter { $0.correction != nil })
        return worker.correctedLast ? training ?? correction : correction ?? training
    }

    /// Smaller comes first.
    private func turn(of shard: LedgerSnapshot.Shard, at worker: KnownWorker) -> (Int, TaskID, Int, Int) {
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
}
