import Messages

/// What is known of the data on workers' disks, in memory and, durably, in the ledger: whatever a worker says of its copies
/// is written there.
extension Coordinator {
    /// The worker's copy of the shard is exactly this, but for data on its way.
    mutating func settle(_ worker: KnownWorker, _ copy: ShardCopy) {
        let onTheWay = manifestsOnTheWay(to: worker.id, shard: copy.shard)
        update(worker, shards: [copy.shard]) { $0.confirm(copy, onTheWay: onTheWay) }
    }

    /// The worker says what is left of some shards.
    mutating func settle(_ worker: KnownWorker, shards: [CopySettlement.Shard]) {
        update(worker, shards: shards.map(\.shard)) { worker in
            for shard in shards {
                worker.removeCopy(of: shard.shard)
                worker.mayHold(shard: shard.shard, manifests: shard.kept)
            }
        }
    }

    mutating func released(_ shard: Int, by worker: KnownWorker) {
        // The shard may have come back to the worker while it deleted it.
        let kept = manifestsOnTheWay(to: worker.id, shard: shard)
        settle(worker, shards: [CopySettlement.Shard(shard: shard, kept: kept)])
        withdrawTasks(of: worker.id) { $0.shardOfCopy == shard }
    }

    /// A worker that leaves reads no more: of an assignment on its way, whose prompts it never asked for, nothing arrives.
    mutating func leave(_ worker: KnownWorker, deleted: [Int]) {
        var shards = deleted.map { CopySettlement.Shard(shard: $0, kept: []) }
        for task in tasks.tasks(of: worker.id) where task.isWithoutData {
            guard let copy = task.copy, !deleted.contains(copy.shard) else { continue }
            let held = worker.copy(of: copy.shard)?.manifests ?? []
            shards.append(CopySettlement.Shard(shard: copy.shard, kept: held.filter { $0 != copy.manifest }))
        }
        settle(worker, shards: shards)
    }

    /// A hello names everything that the worker has.
    mutating func settleAll(of worker: KnownWorker, before: KnownWorker?) {
        let changes = Self.changes(from: before?.copies ?? [], to: worker.copies)
        guard before == nil || changes > 0 else { return }
        settle(Self.everything(of: worker), changing: changes)
    }

    /// What another worker left on the same machine was deleted. Certificates say so: it is believed of whoever has what lay in
    /// the other's directory.
    mutating func cleared(_ other: String, secret: String?, by worker: KnownWorker) {
        guard let gone = roster[other], !gone.isLive else { return }
        guard WorkerIdentity.shows(secret ?? "", ownerOf: other, known: gone.secret) else {
            return log(
                "worker \(worker.title) says that it deleted what worker \(gone.title) had left, and shows no proof: its copies "
                    + "stay on record until it comes back, or `lethe workers remove \(gone.id)` says that they are gone",
                worker: worker.id)
        }
        log("worker \(worker.title) deleted what worker \(gone.title) had left on its machine", worker: worker.id)
        // That nothing is left is said once, and why.
        settlements.drop(other)
        roster.update(other) { $0.removeAllCopies() }
        unlist(other)
        write(
            .settleCopies(
                CopySettlement(worker: other, name: gone.name, reason: .cleared, shards: [], isEverything: true)))
    }

    /// What is to be written now in place of a settlement that failed: more may have become known, and data may have been
    /// handed out, since.
    func renewed(_ old: CopySettlement) -> CopySettlement {
        roster[old.worker].map(Self.everything) ?? old
    }

    /// Whether the ledger is yet to note something of the worker's copies.
    func isSettling(_ worker: String) -> Bool { writes.has(.copies(worker: worker)) || settlements.owes(worker) }

    /// Who changes its mind faster than it can be written down is written down when there is time.
    private mutating func settle(_ settlement: CopySettlement, changing manifests: Int) {
        let isMore = settlements.owes(settlement.worker)
        settlements.owe(settlement.worker, manifests: manifests, at: now)
        if isMore { settleOwed(of: settlement.worker) } else { writeOwed(settlement) }
    }

    /// What changed of the worker's copies while it was too early for it, all at once. A settlement that waits to be tried again
    /// says it as well.
    mutating func settleOwed(of worker: String) {
        guard settlements.owes(worker) else { return }
        guard let known = roster[worker], !isSettlementWaiting(of: worker) else {
            settlements.drop(worker)
            return writes.touched.append(.copies(worker: worker))
        }
        writeOwed(Self.everything(of: known))
        unlistIfGone(worker)
    }

    /// What is owed is written at once, whatever the pace: nobody may be there to say it later.
    mutating func settleAtOnce(_ worker: String) {
        guard settlements.owes(worker), let known = roster[worker] else { return }
        guard !isSettlementWaiting(of: worker) else { return settleOwed(of: worker) }
        settlements.wrote(worker, at: now)
        write(.settleCopies(Self.everything(of: known)))
    }

    /// The worker will not be known any more. What fails of what is being written of it is tried again as it was known last.
    mutating func settleAtLast(_ worker: String) {
        guard let known = roster[worker] else { return }
        for entry in writes.entries(about: .copies(worker: worker)) {
            writes.replace(entry.id, by: .settleCopies(Self.everything(of: known)))
        }
        settleAtOnce(worker)
    }

    /// What is owed of all workers, before the coordinator ends.
    package mutating func settleEverything(at now: CoordinatorInstant) -> [CoordinatorAction] {
        self.now = max(self.now, now)
        actions = []
        defer { actions = [] }
        for worker in roster.workers { settleAtOnce(worker.id) }
        return actions
    }

    private mutating func writeOwed(_ settlement: CopySettlement) {
        let worker = settlement.worker
        // The next one that ends has it looked at again.
        let underWay = writes.entries(about: .copies(worker: worker)).count
        guard underWay < CoordinatorLimits.settlementsUnderWay else { return }
        if let time = settlements.wait(worker, at: now) {
            if settlements.setsAlarm(for: worker) { alarms.add(.copies(worker: worker), at: time) }
            return
        }
        settlements.wrote(worker, at: now)
        write(.settleCopies(settlement))
    }

    /// Whether a settlement of the worker waits to be tried again.
    func isSettlementWaiting(of worker: String) -> Bool {
        writes.entries(about: .copies(worker: worker)).contains { $0.isFailing && !$0.isUnderWay }
    }

    private func manifestsOnTheWay(to worker: String, shard: Int) -> [String] {
        tasks.tasks(of: worker).compactMap(\.copy).filter { $0.shard == shard }.map(\.manifest)
    }

    private mutating func update(
        _ worker: KnownWorker, shards: [Int], _ change: (inout KnownWorker) -> Void
    ) {
        guard let before = roster[worker.id] else { return }
        var after = before
        change(&after)
        roster[worker.id] = after
        var changed: [CopySettlement.Shard] = []
        var changes = 0
        for shard in shards {
            let (old, new) = (before.copy(of: shard), after.copy(of: shard))
            let count = Self.changes(from: old.map { [$0] } ?? [], to: new.map { [$0] } ?? [])
            guard count > 0 else { continue }
            changed.append(CopySettlement.Shard(shard: shard, kept: new?.manifests ?? []))
            changes += count
        }
        guard !changed.isEmpty else { return }
        settle(
            CopySettlement(
                worker: worker.id, name: after.name, reason: .reported, shards: changed, isEverything: false),
            changing: changes)
    }

    /// All that the worker may hold.
    private static func everything(of worker: KnownWorker) -> CopySettlement {
        CopySettlement(
            worker: worker.id, name: worker.name, reason: .reported,
            shards: worker.copies.map { CopySettlement.Shard(shard: $0.shard, kept: $0.manifests) },
            isEverything: true)
    }

    /// How many manifests of shards only one of the two has.
    private static func changes(from old: [KnownCopy], to new: [KnownCopy]) -> Int {
        let areEqual = old.elementsEqual(new) { $0.shard == $1.shard && $0.manifests == $1.manifests }
        guard !areEqual else { return 0 }
        func held(_ copies: [KnownCopy]) -> Set<HeldManifest> {
            Set(copies.flatMap { copy in copy.manifests.map { HeldManifest(shard: copy.shard, manifest: $0) } })
        }
        return held(old).symmetricDifference(held(new)).count
    }
}

private struct HeldManifest: Hashable {
    var shard: Int
    var manifest: String
}

extension KnownWorker {
    var holder: CopyHolder { CopyHolder(worker: id, name: name) }
}
