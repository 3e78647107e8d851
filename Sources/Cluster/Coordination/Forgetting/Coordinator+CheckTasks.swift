import Messages

// Who trains a shard a second time, and when.
extension Coordinator {
    func isWantedCheck(shard index: Int, manifest: String) -> Bool {
        guard let check = check(of: index), check.manifest == manifest else { return false }
        return check.isWanted
    }

    /// One training at a time for each check, on a worker that is free.
    ///
    /// - Parameter beforeTrainings: on one that has a shard to train and does a check first, in its turn.
    mutating func giveChecks(beforeTrainings: Bool) {
        // What settles a dispute is published.
        guard !index.unchecked.isEmpty, !free.isEmpty, !writes.isHeld(.adapters) else { return }
        var idle = idleForChecks(beforeTraining: beforeTrainings)
        for place in index.unchecked where !idle.isEmpty {
            let work = WorkItem.check(shard: place.shard)
            guard let check = check(of: place.shard), isWantedCheck(shard: check.shard, manifest: check.manifest),
                !isPaused(work), !tasks.isWorked(on: work), let worker = checker(for: check, among: idle),
                let peer = worker.peer
            else { continue }
            idle.removeAll { $0.id == worker.id }
            let id = give(.check(shard: check.shard, manifest: check.manifest), to: worker)
            dispatch(
                .replay(
                    task: id, specification: settings.configuration.training,
                    .shard(check.shard, manifest: check.manifest)), to: peer)
        }
    }

    /// A check for which the worker's training of the manifest is wanted.
    func shardToCheck(of manifest: String, by worker: KnownWorker) -> Int? {
        index.unchecked.lazy.map(\.shard).first { shard in
            let work = WorkItem.check(shard: shard)
            guard let check = check(of: shard), isWantedCheck(shard: shard, manifest: manifest), !isPaused(work),
                !tasks.isWorked(on: work)
            else { return false }
            return checker(for: check, among: [worker]) != nil
        }
    }

    private func idleForChecks(beforeTraining: Bool) -> [KnownWorker] {
        free.compactMap { roster[$0] }.filter { worker in
            guard !tasks.hasWorker(worker.id) else { return false }
            guard beforeTraining else { return shardToTrain(by: worker) == nil }
            return worker.turn.replays > 0 && shardToTrain(by: worker) != nil
        }
    }

    /// A free worker that is not the trainer; in a dispute first one that has not trained the shard yet.
    private func checker(for check: ShardCheck, among idle: [KnownWorker]) -> KnownWorker? {
        let free = idle.filter { mayCheck($0.id, check) }
        guard check.isDisputed else {
            let trainer = trainer(of: check)
            // Another worker's training is there already, and waits for the adapter to be published.
            guard check.votes.allSatisfy({ $0.worker == trainer }) else { return nil }
            return free.first { $0.id != trainer }
        }
        let voters = check.votes.map(\.worker)
        if let other = free.first(where: { !voters.contains($0.id) }) { return other }
        // Nobody else is there: those who disagree are asked again, the one whose training is oldest first.
        guard !roster.hasWorking(where: { !voters.contains($0.id) }) else { return nil }
        return voters.lazy.compactMap { voter in free.first { $0.id == voter } }.first
    }

    /// Whether the worker did not fail at it last, or is the only one left to try again. One that fell silent is not asked
    /// twice.
    func mayCheck(_ worker: String, _ check: ShardCheck) -> Bool {
        let work = WorkItem.check(shard: check.shard)
        guard !isWelcome(worker, for: work) else { return true }
        let trainer = trainer(of: check)
        let hasOthers = roster.hasWorking { $0.id != trainer && $0.id != worker }
        return !hasOthers && failure(of: work)?.error.code != .silent
    }

    /// The worker that trained, or is about to train, the adapter that answers for the shard.
    func trainer(of check: ShardCheck) -> String? {
        guard let shard = shard(check.shard) else { return nil }
        let published = shard.isCurrent && shard.adapter?.corrected == nil ? shard.adapter?.trainer : nil
        return published ?? writes.publisher(of: check.shard, manifest: check.manifest) ?? owners[check.shard]
    }

    mutating func checked(
        shard index: Int, manifest: String, _ report: TrainingReport, adapter: [UInt8],
        task: CoordinatorTask, by worker: KnownWorker
    ) {
        guard report.manifest == manifest, report.isExact else {
            return failed(task.id, .badReport, by: worker)
        }
        tasks.remove(task.id)
        succeeded(.check(shard: index))
        guard check(of: index)?.manifest == manifest else { return }
        checks.update(index) { $0.add(ShardCheck.Vote(report: report, bytes: adapter, worker: worker.id)) }
        // Those who disagree and are asked again may disagree for ever.
        if let check = check(of: index), check.isDisputed, check.agreement == nil, check.votes.count > 1 {
            delayDispute(index)
        }
    }

    private mutating func delayDispute(_ shard: Int) {
        let error = ClientError(
            code: .disputed, message: "trainings of shard \(shard) gave different bytes on different workers")
        let voters = Set(check(of: shard)?.votes.map(\.worker) ?? [])
        guard !roster.hasWorking(where: { !voters.contains($0.id) }) else { return }
        var record = WorkItemFailures(work: .check(shard: shard), count: 1, worker: "", error: error)
        record.pausedUntil = now.advanced(bySeconds: CoordinatorLimits.staleSeconds * 20)
        failures.removeAll { $0.work == record.work }
        failures.append(record)
        noteFailure(record.work)
    }
}
