import Messages

/// A worker's result is not believed: of each forget, a second worker trains (at the same time, if it is free) what the
/// first one trains, and the certificate is signed when both gave the same bytes.
///
/// Where they differ the published adapter is quarantined, and a third training decides: whatever two different workers
/// agree on is published. Until then the shard answers nothing, and status says why. Checks live as long as the process;
/// after a restart the requests that are still pending are checked anew.
///
/// A later request may retrain the shard before anybody got to train it a second time. The check then passes to the next
/// adapter, but not for ever (`CoordinatorLimits.checkMoves`): where forget requests come faster than workers have time,
/// certificates say so.
extension Coordinator {
    private func check(of shard: Int) -> ShardCheck? {
        checkPositions[shard].map { checks[$0] }
    }

    func isDisputed(_ shard: LedgerSnapshot.Shard) -> Bool {
        check(of: shard.index).map { $0.manifest == shard.manifest && $0.isDisputed } ?? false
    }

    /// The request's shards that are to be checked: of those that are, or will be, trained exactly.
    private func checkedShards(of pending: LedgerSnapshot.PendingForget) -> [LedgerSnapshot.Shard] {
        let trained = pending.retrained.filter { index in
            guard let shard = shard(index), shard.prompts > 0 else { return false }
            return shard.awaitsExact || (shard.correction == nil && shard.adapter?.corrected == nil)
        }
        let chosen = settings.doubleCheck.chosen(of: trained, request: pending.id)
        return chosen.sorted().compactMap { shard($0) }
    }

    /// Begins checks that are wanted, drops those that are not, and compares what has come.
    mutating func reviseChecks() {
        // What settles a dispute may wait for a write, too.
        guard mustReviseChecks || checks.contains(where: \.isDisputed) else { return }
        mustReviseChecks = false
        guard !pendingForgets.retrained.isEmpty || !checks.isEmpty else { return }
        // Of the others nothing is to be checked.
        let concerned = snapshot.pendingForgets.filter { !$0.retrained.isEmpty }
            .map { (pending: $0, shards: checkedShards(of: $0)) }
        let wanted = Set(concerned.flatMap { $0.shards.map(\.index) })
        var kept = checks.filter { check in
            shard(check.shard)?.manifest == check.manifest && (check.isDisputed || wanted.contains(check.shard))
        }
        var begun = Set(kept.map(\.shard))
        for (pending, shards) in concerned {
            for shard in shards
            where !begun.contains(shard.index) && noted(shard.index, of: pending)?.hasEnded != true {
                kept.append(ShardCheck(shard: shard.index, manifest: shard.manifest))
                begun.insert(shard.index)
            }
        }
        checks = kept
        // What is compared may call for another look at the next event.
        mustReviseChecks = false
        for position in checks.indices { compare(at: position) }
        for (pending, shards) in concerned { noteChecks(of: pending, shards) }
    }

    /// Keeps what is known of the request's checks: its shards may be retrained for others.
    private mutating func noteChecks(of pending: LedgerSnapshot.PendingForget, _ checked: [LedgerSnapshot.Shard]) {
        guard let operation = operation(pending.id), case .forget(var forgetting) = operation.course else { return }
        let before = forgetting.checks
        // A dispute took the adapter away: the request waits for another one.
        forgetting.checks.removeAll { pending.waitingFor.contains($0.shard) }
        for shard in checked where shard.isCurrent && !pending.waitingFor.contains(shard.index) {
            if let adapter = shard.adapter?.name, !forgetting.checks.contains(where: { $0.shard == shard.index }) {
                forgetting.checks.append(
                    Forgetting.Check(shard: shard.index, manifest: shard.manifest, adapter: adapter))
            }
        }
        for position in forgetting.checks.indices {
            var noted = forgetting.checks[position]
            guard let shard = shard(noted.shard) else { continue }
            let adapter = shard.isCurrent ? shard.adapter?.name : nil
            if shard.manifest == noted.manifest {
                if let adapter, adapter != noted.adapter { (noted.adapter, noted.workers) = (adapter, []) }
            } else if !noted.hasEnded {
                noted.manifest = shard.manifest
                noted.moves += 1
            }
            if let adapter, noted.workers.isEmpty, shard.manifest == noted.manifest, let check = check(of: shard.index),
                check.manifest == shard.manifest, case .agreed(adapter, let workers) = check.state
            {
                noted.workers = workers
            }
            forgetting.checks[position] = noted
        }
        forgetting.checks.sort { $0.shard < $1.shard }
        guard forgetting.checks != before else { return }
        update(pending.id) { $0.course = .forget(forgetting) }
    }

    /// What is known of the request's check of the shard; nil: the shard has had no clean adapter since.
    private func noted(_ shard: Int, of pending: LedgerSnapshot.PendingForget) -> Forgetting.Check? {
        guard let operation = operation(pending.id), case .forget(let forgetting) = operation.course else { return nil }
        return forgetting.checks.first { $0.shard == shard }
    }

    private mutating func compare(at position: Int) {
        let check = checks[position]
        guard let shard = shard(check.shard) else { return }
        let published = shard.isCurrent && shard.adapter?.corrected == nil ? shard.adapter : nil
        switch check.state {
        case .open:
            guard let published, let vote = check.votes.last(where: { $0.worker != published.trainer }) else {
                break
            }
            guard vote.report.adapter != published.name else {
                let workers = [vote.worker, published.trainer ?? owners[check.shard] ?? ""].sorted()
                checks[position].state = .agreed(adapter: published.name, workers: workers)
                return
            }
            dispute(check, published: published, against: vote, at: position)
        case .disputed:
            guard published == nil, let (vote, other) = check.agreement,
                !writes.isPublishing(shard: check.shard, manifest: check.manifest)
            else { break }
            let report = vote.report
            log("the dispute about shard \(check.shard) is settled: \(vote.worker) and \(other.worker) agree")
            checks[position].state = .agreed(adapter: report.adapter, workers: [vote.worker, other.worker].sorted())
            write(.publish(shard: check.shard, report: report, adapter: vote.bytes, worker: vote.worker))
        case .agreed(let adapter, _):
            // Another adapter of the same data took its place: it is checked too.
            if let published, published.name != adapter { checks[position].state = .open }
        case .failed: break
        }
    }

    private mutating func dispute(
        _ check: ShardCheck, published: LedgerSnapshot.Adapter, against vote: ShardCheck.Vote, at position: Int
    ) {
        let trainer = published.trainer ?? owners[check.shard] ?? ""
        log(
            "DISPUTE: worker \(trainer) trained shard \(check.shard) to \(published.name.clipped), worker "
                + "\(vote.worker) to \(vote.report.adapter.clipped); the adapter is quarantined until two agree")
        checks[position].state = .disputed
        var first = vote.report
        first.adapter = published.name
        if !trainer.isEmpty { checks[position].add(ShardCheck.Vote(report: first, bytes: [], worker: trainer)) }
        write(
            .quarantine(
                AdapterDispute(
                    shard: check.shard, published: published.name, other: vote.report.adapter,
                    workers: [trainer, vote.worker])))
    }

    // MARK: tasks

    func isWantedCheck(shard index: Int, manifest: String) -> Bool {
        guard let check = check(of: index), check.manifest == manifest else { return false }
        switch check.state {
        case .open, .disputed: return true
        case .agreed, .failed: return false
        }
    }

    /// One training at a time for each check, on a worker that is free.
    ///
    /// - Parameter beforeTrainings: on one that has a shard to train and does a check first, in its turn.
    mutating func giveChecks(beforeTrainings: Bool) {
        // What settles a dispute is published.
        guard !writes.isHeld(.adapters) else { return }
        let wanted = checks.filter { isWantedCheck(shard: $0.shard, manifest: $0.manifest) }
        guard !wanted.isEmpty else { return }
        var free = freeForChecks(beforeTraining: beforeTrainings)
        for check in wanted where !free.isEmpty {
            let work = WorkItem.check(shard: check.shard)
            guard !isPaused(work), !tasks.contains(where: { $0.work == work }),
                let worker = checker(for: check, among: free), let peer = worker.peer
            else { continue }
            free.removeAll { $0.id == worker.id }
            let id = give(.check(shard: check.shard, manifest: check.manifest), to: worker)
            dispatch(
                .replay(
                    task: id, specification: settings.configuration.training,
                    .shard(check.shard, manifest: check.manifest)), to: peer)
        }
    }

    private func freeForChecks(beforeTraining: Bool) -> [KnownWorker] {
        let busy = Set(tasks.map(\.worker))
        return roster.live.filter { worker in
            guard !busy.contains(worker.id) else { return false }
            guard beforeTraining else { return shardToTrain(by: worker) == nil }
            return worker.turn.replays > 0 && shardToTrain(by: worker) != nil
        }
    }

    /// A free worker that is not the trainer; in a dispute first one that has not trained the shard yet.
    private func checker(for check: ShardCheck, among idle: [KnownWorker]) -> KnownWorker? {
        let free = idle.filter { mayCheck($0, check) }
        guard check.isDisputed else {
            let trainer = trainer(of: check)
            // Another worker's training is there already, and waits for the adapter to be published.
            guard check.votes.allSatisfy({ $0.worker == trainer }) else { return nil }
            return free.first { $0.id != trainer }
        }
        let voters = check.votes.map(\.worker)
        if let other = free.first(where: { !voters.contains($0.id) }) { return other }
        // Nobody else is there: those who disagree are asked again, the one whose training is oldest first.
        guard roster.live.allSatisfy({ voters.contains($0.id) }) else { return nil }
        return voters.lazy.compactMap { voter in free.first { $0.id == voter } }.first
    }

    /// Whether the worker did not fail at it last, or is the only one left to try again. One that fell silent is not asked
    /// twice.
    private func mayCheck(_ worker: KnownWorker, _ check: ShardCheck) -> Bool {
        let work = WorkItem.check(shard: check.shard)
        guard !isWelcome(worker, for: work) else { return true }
        let trainer = trainer(of: check)
        let others = roster.live.filter { $0.id != trainer && $0.id != worker.id }
        return others.isEmpty && failure(of: work)?.error.code != .silent
    }

    /// The worker that trained, or is about to train, the adapter that answers for the shard.
    private func trainer(of check: ShardCheck) -> String? {
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
        tasks.removeAll { $0.id == task.id }
        succeeded(.check(shard: index))
        guard let position = checks.firstIndex(where: { $0.shard == index && $0.manifest == manifest }) else { return }
        checks[position].add(ShardCheck.Vote(report: report, bytes: adapter, worker: worker.id))
        // Those who disagree and are asked again may disagree for ever.
        if checks[position].isDisputed, checks[position].agreement == nil, checks[position].votes.count > 1 {
            delayDispute(index)
        }
    }

    private mutating func delayDispute(_ shard: Int) {
        let error = ClientError(
            code: .disputed, message: "trainings of shard \(shard) gave different bytes on different workers")
        let voters = Set(check(of: shard)?.votes.map(\.worker) ?? [])
        guard roster.live.allSatisfy({ voters.contains($0.id) }) else { return }
        var record = WorkItemFailures(work: .check(shard: shard), count: 1, worker: "", error: error)
        record.pausedUntil = now.advanced(bySeconds: CoordinatorLimits.staleSeconds * 20)
        failures.removeAll { $0.work == record.work }
        failures.append(record)
    }

    // MARK: the end of a request

    /// Whether nothing more is to be checked before the request's certificate is signed.
    func areChecked(_ pending: LedgerSnapshot.PendingForget) -> Bool {
        checkedShards(of: pending).allSatisfy { shard in
            if noted(shard.index, of: pending)?.hasEnded == true { return true }
            guard let check = check(of: shard.index), check.manifest == shard.manifest else { return false }
            switch check.state {
            case .agreed(let adapter, _): return adapter == shard.adapter?.name
            case .failed: return true
            case .disputed: return false
            case .open: return isHopeless(check)
            }
        }
    }

    /// Nobody else is there, or others failed at it and nobody is left to try, or they failed again and again.
    private func isHopeless(_ check: ShardCheck) -> Bool {
        let trainer = trainer(of: check)
        // One that is away for a moment goes on with it.
        guard !tasks.contains(where: { $0.work == .check(shard: check.shard) }) else { return false }
        return !roster.live.contains { $0.id != trainer && mayCheck($0, check) }
            || exhausted { $0 == .check(shard: check.shard) } != nil
    }

    func checkResults(for pending: LedgerSnapshot.PendingForget) -> [DoubleCheck] {
        checkedShards(of: pending).compactMap { shard in
            if let noted = noted(shard.index, of: pending), noted.hasEnded {
                return DoubleCheck(
                    shard: shard.index, adapter: noted.adapter,
                    outcome: noted.isSuperseded ? .superseded : .sameBytes, workers: noted.workers)
            }
            guard let adapter = shard.adapter?.name, let check = check(of: shard.index) else { return nil }
            switch check.state {
            case .agreed(_, let workers):
                return DoubleCheck(shard: shard.index, adapter: adapter, outcome: .sameBytes, workers: workers)
            case .open, .failed, .disputed:
                let isAlone = (failure(of: .check(shard: shard.index))?.count ?? 0) == 0
                return DoubleCheck(
                    shard: shard.index, adapter: adapter, outcome: isAlone ? .noOtherWorker : .failed, workers: [])
            }
        }
    }

    /// Shards about which workers disagree, one line each, for people.
    var disputes: [String] {
        checks.filter(\.isDisputed).map { check in
            let votes = check.votes.map { "\($0.worker.prefix(8)): \($0.report.adapter.prefix(16))" }
            return
                "trainings of shard \(check.shard) gave different bytes (\(votes.joined(separator: ", "))); it answers "
                + "nothing until two workers agree"
        }
    }
}
