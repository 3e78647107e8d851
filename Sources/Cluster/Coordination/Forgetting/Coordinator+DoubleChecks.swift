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
    func check(of shard: Int) -> ShardCheck? { checks[shard] }

    func isDisputed(_ shard: LedgerSnapshot.Shard) -> Bool {
        check(of: shard.index).map { $0.manifest == shard.manifest && $0.isDisputed } ?? false
    }

    /// The request's shards that are to be checked: of those that are, or will be, trained exactly.
    private func checkedShards(of pending: LedgerSnapshot.PendingForget) -> [Int] {
        let trained = pending.retrained.filter { index in
            guard let shard = shard(index), shard.prompts > 0 else { return false }
            return shard.awaitsExact || (shard.correction == nil && shard.adapter?.corrected == nil)
        }
        return settings.doubleCheck.chosen(of: trained, request: pending.id).sorted()
    }

    /// Begins checks that are wanted, drops those that are not, and compares what has come: of shards and requests that
    /// something changed for.
    mutating func reviseChecks() {
        let changed = shardsToCheck.sorted()
        shardsToCheck = []
        guard !changed.isEmpty || !forgetsToCheck.isEmpty else { return }
        guard !pendingForgets.retrained.isEmpty || !checks.isEmpty || !choices.isEmpty else {
            forgetsToCheck = []
            return
        }
        var concerned: [(pending: LedgerSnapshot.PendingForget, entry: CheckChoices.Entry)] = []
        var affected = Set(changed)
        let (pending, gone) = pendingForgets.concerned(forgetsToCheck, retraining: changed)
        forgetsToCheck = []
        for request in gone { affected.formUnion(choices.drop(request)) }
        for pending in pending {
            let before = choices[pending.id]
            var entry = before
            entry.shards = pending.retrained.isEmpty ? [] : checkedShards(of: pending)
            affected.formUnion(entry.shards)
            if entry.shards != before.shards { affected.formUnion(before.shards) }
            choices.set(entry, of: pending.id, before: before)
            if !pending.retrained.isEmpty { concerned.append((pending, entry)) }
        }
        for index in affected.sorted() {
            guard let check = check(of: index) else { continue }
            let isKept = shard(index)?.manifest == check.manifest && (check.isDisputed || choices.isChosen(index))
            if isKept { continue }
            checks.end(index)
            // Nobody came to know who was right. Stages of slices that the new data has as well are named as before, and a training
            // would go on from them.
            if check.isDisputed { for worker in roster.liveHolders(of: index) { distrust(worker, shard: index) } }
        }
        for (_, entry) in concerned {
            for index in entry.shards where check(of: index) == nil && entry.check(of: index)?.hasEnded != true {
                guard let shard = shard(index) else { continue }
                checks.begin(ShardCheck(shard: index, manifest: shard.manifest))
                affected.insert(index)
            }
        }
        for index in affected.sorted() { compare(index) }
        for (pending, entry) in concerned { noteChecks(of: pending, entry) }
    }

    /// Keeps what is known of the request's checks: its shards may be retrained for others.
    private mutating func noteChecks(of pending: LedgerSnapshot.PendingForget, _ entry: CheckChoices.Entry) {
        let (before, checked) = (entry.noted, entry.shards)
        var now = before
        // A dispute took the adapter away: the request waits for another one.
        now.removeAll { pending.waitingFor.contains($0.shard) }
        for index in checked where !pending.waitingFor.contains(index) && !now.contains(where: { $0.shard == index }) {
            if let shard = shard(index), shard.isCurrent, let adapter = shard.adapter?.name {
                now.append(Forgetting.Check(shard: index, manifest: shard.manifest, adapter: adapter))
            }
        }
        for position in now.indices {
            var noted = now[position]
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
            now[position] = noted
        }
        now.sort { $0.shard < $1.shard }
        guard now != before else { return }
        choices.set(CheckChoices.Entry(shards: checked, noted: now), of: pending.id, before: entry)
        forgetsToAdvance.insert(pending.id)
    }

    /// What is known of the request's check of the shard; nil: the shard has had no clean adapter since.
    private func noted(_ shard: Int, of pending: LedgerSnapshot.PendingForget) -> Forgetting.Check? {
        choices[pending.id].check(of: shard)
    }

    private mutating func compare(_ index: Int) {
        guard let check = check(of: index), let shard = shard(index) else { return }
        let published = shard.isCurrent && shard.adapter?.corrected == nil ? shard.adapter : nil
        switch check.state {
        case .open:
            guard let published, let vote = check.votes.last(where: { $0.worker != published.trainer }) else {
                break
            }
            guard vote.report.adapter != published.name else {
                let workers = [vote.worker, published.trainer ?? owners[index] ?? ""].sorted()
                return checks.update(index) { $0.state = .agreed(adapter: published.name, workers: workers) }
            }
            dispute(check, published: published, against: vote)
        case .disputed:
            guard published == nil, let (vote, other) = check.agreement,
                !writes.isPublishing(shard: index, manifest: check.manifest)
            else { break }
            let report = vote.report
            log(
                "the dispute about shard \(index) is settled: \(title(of: vote.worker)) and \(title(of: other.worker)) agree",
                shard: index)
            checks.update(index) {
                $0.state = .agreed(adapter: report.adapter, workers: [vote.worker, other.worker].sorted())
            }
            // Also whoever took stages over from the one that was wrong: only who came to these bytes is known to have the right ones.
            let right = Set(check.votes.filter { $0.report.adapter == report.adapter }.map(\.worker))
            let wrong = check.votes.map(\.worker).filter { !right.contains($0) }
            for worker in wrong + roster.liveHolders(of: index).filter({ !right.contains($0) && !wrong.contains($0) }) {
                distrust(worker, shard: index)
            }
            write(.publish(shard: index, report: report, adapter: vote.bytes, worker: vote.worker))
        case .agreed(let adapter, _):
            // Another adapter of the same data took its place: it is checked too.
            if let published, published.name != adapter { checks.update(index) { $0.state = .open } }
        case .failed: break
        }
    }

    /// A worker that did not come to the right bytes, as far as is known, may hold stages that are as wrong: it lets go of whatever
    /// it has of the shard.
    private mutating func distrust(_ worker: String, shard: Int) {
        guard settings.configuration.training.slices > 1, let known = roster[worker], let peer = known.peer,
            var copy = known.copy(of: shard)
        else { return }
        copy.releaseSent = now
        copy.releaseBegan = copy.releaseBegan ?? now
        copy.releases += 1
        roster.update(worker) { $0.setCopy(copy) }
        alarms.add(.shard(shard), at: now.advanced(bySeconds: CoordinatorLimits.releaseAgainSeconds))
        log(
            "worker \(title(of: worker)) lets go of shard \(shard), about whose training workers disagreed",
            worker: worker, shard: shard)
        send(.release(shard: shard), to: peer)
    }

    private mutating func dispute(
        _ check: ShardCheck, published: LedgerSnapshot.Adapter, against vote: ShardCheck.Vote
    ) {
        let trainer = published.trainer ?? owners[check.shard] ?? ""
        log(
            "DISPUTE: worker \(title(of: trainer)) trained shard \(check.shard) to \(published.name.clipped), worker "
                + "\(title(of: vote.worker)) to \(vote.report.adapter.clipped); the adapter is quarantined until two agree",
            shard: check.shard)
        var first = vote.report
        first.adapter = published.name
        checks.update(check.shard) {
            $0.state = .disputed
            if !trainer.isEmpty { $0.add(ShardCheck.Vote(report: first, bytes: [], worker: trainer)) }
        }
        write(
            .quarantine(
                AdapterDispute(
                    shard: check.shard, published: published.name, other: vote.report.adapter,
                    workers: [trainer, vote.worker])))
    }

    // MARK: the end of a request

    /// Whether nothing more is to be checked before the request's certificate is signed.
    func areChecked(_ pending: LedgerSnapshot.PendingForget) -> Bool {
        checkedShards(of: pending).allSatisfy { index in
            if noted(index, of: pending)?.hasEnded == true { return true }
            guard let shard = shard(index), let check = check(of: index), check.manifest == shard.manifest else {
                return false
            }
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
        guard !tasks.isWorked(on: .check(shard: check.shard)) else { return false }
        // Those of before a restart are about to come, and one may have the training done.
        if now < startedUntil, roster.isAnybodyExpected(at: now) { return false }
        return !roster.hasWorking { $0.id != trainer && mayCheck($0.id, check) }
            || exhausted { $0 == .check(shard: check.shard) } != nil
    }

    func checkResults(for pending: LedgerSnapshot.PendingForget) -> [DoubleCheck] {
        checkedShards(of: pending).compactMap { self.shard($0) }.compactMap { shard in
            if let noted = noted(shard.index, of: pending), noted.hasEnded {
                return DoubleCheck(
                    shard: shard.index, adapter: noted.adapter,
                    outcome: noted.isSuperseded ? .superseded : .sameBytes, workers: noted.workers)
            }
            // A stage is another request's: this one's adapter was taken away again.
            guard let adapter = shard.adapter, adapter.stage == nil, let check = check(of: shard.index) else {
                return nil
            }
            switch check.state {
            case .agreed(_, let workers):
                return DoubleCheck(shard: shard.index, adapter: adapter.name, outcome: .sameBytes, workers: workers)
            case .open, .failed, .disputed:
                let isAlone = (failure(of: .check(shard: shard.index))?.count ?? 0) == 0
                return DoubleCheck(
                    shard: shard.index, adapter: adapter.name, outcome: isAlone ? .noOtherWorker : .failed, workers: [])
            }
        }
    }

    /// Shards about which workers disagree, one line each, for people.
    var disputes: [String] {
        checks.disputes.map { check in
            let votes = check.votes.map { "\($0.worker.prefix(8)): \($0.report.adapter.prefix(16))" }
            return
                "trainings of shard \(check.shard) gave different bytes (\(votes.joined(separator: ", "))); it answers "
                + "nothing until two workers agree"
        }
    }
}
