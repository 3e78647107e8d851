import Messages

/// Workers that come back, and the work that was kept for them.
///
/// A worker goes on computing while it is not heard of. When it is heard again, it goes on with what is still wanted: its
/// tasks stay reserved for it for a while, and after that for as long as nobody else has begun them. What is computed twice
/// costs time, never other bytes.
extension Coordinator {
    /// The worker that was given up on this connection: nothing that either side sent was lost.
    mutating func returned(at peer: PeerID) -> KnownWorker? {
        guard let worker = roster.keptWorker(at: peer) else { return nil }
        let absence = worker.absence
        let away = worker.away.map { now.seconds(since: $0.since) } ?? 0
        roster.update(worker.id) {
            $0.peer = peer
            $0.absence = WorkerAbsence()
            $0.away = nil
        }
        for copy in worker.copies {
            // What nobody was asked for any more while it was away may be had now.
            exchanges.reopen(copy.shard)
            guard let held = copy.heldBack?.heardAgain(after: away) else { continue }
            roster.update(worker.id) { $0.holdBack(held, copyOf: copy.shard) }
            for time in held.ends { alarms.add(.shard(copy.shard), at: time) }
        }
        fleet.note(worker.id)
        hasReturned.append(peer)
        membershipChanged = now
        log("worker \(worker.title) is heard again", worker: worker.id)
        for task in tasks.load(of: worker.id).ids { goOn(with: task) }
        for task in absence.lapsed { reclaim(task) }
        for id in absence.given where !tasks.contains(id) { send(.cancel(task: id), to: peer) }
        // What it wanted was given up with it, and it has not noticed: a training must not wait for it.
        for task in tasks.tasks(of: worker.id) where task.isTraining {
            if let shard = task.shardOfCopy { dispatch(.noStage(task: takeTaskID(), shard: shard), to: peer) }
        }
        return roster[worker.id]
    }

    /// - Returns: those of the tasks that a worker says it goes on with which are still its own.
    mutating func takeBack(_ held: [HeldTask], by id: String) -> [TaskID] {
        let absence = roster[id]?.absence ?? WorkerAbsence()
        roster.update(id) { $0.absence = WorkerAbsence() }
        // What did not arrive, or was lost with the process.
        let lost = tasks.tasks(of: id).filter { task in !held.contains { $0.task == task.id } }
        for task in lost where !missed(task, .loss, .lostWithWork) {
            remove(task)
            noteStop(of: task, "put back")
        }
        if let peer = roster[id]?.peer {
            for task in lost { send(.cancel(task: task.id), to: peer) }
        }
        for held in held {
            if let task = tasks[held.task] {
                if task.worker == id { goOn(with: task.id) }
            } else if let task = absence.lapsed.first(where: { $0.id == held.task }), reclaim(task) {
                continue
            } else if let content = held.content, held.task < nextTask {
                adopt(content, as: held, by: id)
            }
        }
        return held.map(\.task).filter { tasks[$0]?.worker == id }
    }

    private mutating func goOn(with task: TaskID) {
        tasks.setAwaited(task, until: nil)
        tasks.setNews(task, at: now)
        tasks.reopen(task)
    }

    /// Takes work back that was put back and that nobody has begun.
    @discardableResult
    private mutating func reclaim(_ task: CoordinatorTask) -> Bool {
        guard isWanted(task) else { return false }
        switch task.kind {
        case .train(let shard, _), .correct(let shard, _):
            guard makeWay(on: shard, for: task.worker, share: task.share) else { return false }
        case .check, .prepare: if tasks.isWorked(on: task.work) { return false }
        case .copy: return false
        case .values(let kind, let digests): guard takeOut(digests, of: kind) else { return false }
        case .part(let part):
            guard takeOut(part) else { return false }
            if let position = part.comparisonCase {
                update(part.operation) { $0.setCases { $0.heardAgain(position) } }
            }
        }
        var task = task
        task.awaitedUntil = nil
        task.lastNews = now
        task.headway.moved(at: now)
        task.headway.reopen()
        tasks.add(task)
        return true
    }

    /// Work that a coordinator before this one gave out, or this one long ago: what it is a function of says whether it is
    /// wanted.
    private mutating func adopt(_ content: HeldTask.Content, as held: HeldTask, by worker: String) {
        switch content {
        case .training(let training): adopt(training, as: held, by: worker)
        case .replay(let manifest, settings.configuration.training):
            adoptReplay(of: manifest, as: held.task, by: worker)
        case .margins(let adapter, settings.configuration.rule, let digests):
            adopt(digests, of: .margins(adapter: adapter), as: held.task, by: worker)
        case .embeddings(settings.configuration.embedding, let digests):
            adopt(digests, of: .embeddings, as: held.task, by: worker)
        case .replay, .margins, .embeddings: break
        }
    }

    /// Rows that are missing still, as one chunk.
    private mutating func adopt(_ digests: [String], of kind: MissingValues, as task: TaskID, by worker: String) {
        guard !digests.isEmpty, mayCompute(kind), takeOut(digests, of: kind) else { return }
        tasks.add(
            CoordinatorTask(id: task, worker: worker, kind: .values(kind, digests: digests), lastNews: now))
    }

    /// A second training: for a check that is open, or for a verification that was asked for since.
    private mutating func adoptReplay(of manifest: String, as task: TaskID, by id: String) {
        guard let worker = roster[id], !writes.isHeld(.adapters) else { return }
        let kind: CoordinatorTask.Kind
        if let shard = shardToCheck(of: manifest, by: worker) {
            kind = .check(shard: shard, manifest: manifest)
        } else if let part = replayToTakeOver(of: manifest, by: worker), takeOut(part) {
            kind = .part(part)
        } else {
            return
        }
        tasks.add(CoordinatorTask(id: task, worker: id, kind: kind, lastNews: now))
        log("worker \(worker.title) goes on with a training for comparison", worker: id)
    }

    private mutating func adopt(_ training: HeldTask.Training, as held: HeldTask, by worker: String) {
        guard training.specification == settings.configuration.training,
            let shard = shard(training.shard), shard.manifest == training.manifest, shard.correction == nil,
            wantsTraining(shard), !isPaused(shard.work), failure(of: shard.work)?.worker != worker,
            !writes.isHeld(.adapters),
            makeWay(on: shard.index, for: worker, share: held.share)
        else { return }
        let kind = CoordinatorTask.Kind.train(shard: shard.index, manifest: shard.manifest)
        tasks.add(CoordinatorTask(id: held.task, worker: worker, kind: kind, lastNews: now))
        lastTrainings[shard.index] = held.task
        roster.update(worker) {
            $0.expect(shard: shard.index, manifest: shard.manifest)
            $0.turn = .full
        }
        log("worker \(title(of: worker)) goes on training shard \(shard.index)", worker: worker, shard: shard.index)
    }

    /// Whether the worker may have the shard: nobody else trains it, or somebody who has done less and now stops.
    private mutating func makeWay(on shard: Int, for worker: String, share: Double) -> Bool {
        if let other = taskOnShard(shard) {
            guard other.worker != worker, !other.isCopy, other.share < share else { return false }
            cancel(other)
        }
        owners[shard] = worker
        changes.note(shard)
        return true
    }

    // MARK: reservations

    /// Work of workers that did not come back in time is anybody's, as soon as somebody is there.
    mutating func lapseReservations() {
        guard roster.workingCount > 0, tasks.awaited > 0 else { return }
        for task in tasks.ids(where: { $0.awaitedUntil.map { $0 <= now } ?? false }).compactMap({ tasks[$0] }) {
            if !missed(task, .loss, .lostWithWork) { remove(task) }
            noteStop(of: task, "put back")
            roster.update(task.worker) {
                $0.absence.lapsed = Array(($0.absence.lapsed + [task]).suffix(CoordinatorLimits.lapsedTasks))
            }
        }
    }

    /// Whether the shard waits for a worker that has its present data, is expected back soon and did not fail at it. A copy
    /// that a forget has made stale is not waited for.
    func isAwaited(_ shard: LedgerSnapshot.Shard) -> Bool {
        let failed = failure(of: shard.work)?.worker
        let holders = roster.holders(of: shard.index).compactMap { roster[$0] }
        let isExpected = holders.contains { worker in
            guard !worker.isLive, worker.id != failed, let until = worker.absence.expectedUntil, until > now else {
                return false
            }
            return worker.copy(of: shard.index)?.manifests.contains(shard.manifest) ?? false
        }
        return isExpected
            && !holders.contains { $0.isLive && $0.holds(shard: shard.index, manifest: shard.manifest) }
    }
}
