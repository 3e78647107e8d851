import Messages

/// Who takes a shard over gets the stages of its training from whoever has them. They pass through the coordinator, which keeps
/// none, and are of the present data: whoever hands one on brings its own copy to the manifest first, and whoever gets one
/// compares its name with the data. When nobody has any, or too late, the training begins earlier and ends with the same bytes.
extension Coordinator {
    /// A worker lacks stages, or its training waits for one.
    mutating func wanted(_ names: [String], ofShard index: Int, manifest: String, by worker: KnownWorker) {
        guard let peer = worker.peer else { return }
        noteWaiting(of: worker.id, shard: index)
        let isOfNow =
            shard(index)?.manifest == manifest && worker.copy(of: index)?.manifests.contains(manifest) == true
        // Whose stages are the right ones is not known while two trainings differ.
        let isDisputed = check(of: index)?.isDisputed == true
        if isDisputed { exchanges.forgetGiven(index) }
        guard isOfNow, !isDisputed, worker.knows(.handingOver) else {
            return dispatch(.noStage(task: takeTaskID(), shard: index), to: peer)
        }
        exchanges.add(
            StageWant(
                purpose: .keeping, worker: worker.id, shard: index, manifest: manifest, names: names, since: now))
        changes.note(index)
    }

    mutating func handed(_ id: TaskID, _ stage: HandedStage, by worker: KnownWorker) {
        guard var want = exchanges.want(asking: id), let asking = want.asked(id), asking.holder == worker.id,
            asking.name == stage.name, let receiver = roster[want.worker], let peer = receiver.peer
        else { return }
        let isInTime = want.asking?.task == id
        want.settle(id)
        switch want.purpose {
        case .keeping:
            // What comes late, when there is no room for it, is asked for again.
            guard isInTime || hasRoom(for: stage.name, want) else { return exchanges.set(want) }
            noteWaiting(of: receiver.id, shard: want.shard)
            dispatch(.stage(task: id, shard: want.shard, manifest: want.manifest, stage), to: peer)
            log(
                "a stage of shard \(want.shard) goes from worker \(worker.title) to worker \(receiver.title)",
                worker: receiver.id, shard: want.shard)
            let until = now.advanced(bySeconds: CoordinatorLimits.handSeconds)
            // Whoever was asked instead may have begun to send: that is taken like anything that comes late.
            if !isInTime { want.passOver() }
            want.delivering = StageWant.Delivery(task: id, name: stage.name, holder: worker.id, until: until)
            // What a training waits for does not count before it is there: its worker may be unable to keep any.
            want.pass(stage.name, at: isTraining(for: want) ? nil : now)
            alarms.add(.anything, at: until)
            exchanges.set(want)
        case .replaying(let task):
            exchanges.remove(want)
            replay(task, from: stage, of: worker, by: receiver)
        }
    }

    /// Whether one that was asked for long ago can still go on.
    private func hasRoom(for name: String, _ want: StageWant) -> Bool {
        want.names.contains(name) && want.delivering == nil && exchanges.underWay < CoordinatorLimits.stagesUnderWay
    }

    /// - Returns: whether the task was to hand a stage on, or to say what is left of a copy.
    mutating func failedToHand(_ id: TaskID, _ error: ClientError, by worker: KnownWorker) -> Bool {
        if let copy = worker.copies.first(where: { $0.heldBack?.asked == id }) {
            answered(copy, error, by: worker)
            return true
        }
        guard var want = exchanges.want(asking: id), let asking = want.asked(id), asking.holder == worker.id else {
            return false
        }
        want.settle(id)
        want.refused.insert(StageWant.Refusal(name: asking.name, holder: worker.id))
        exchanges.set(want)
        return true
    }

    /// A stage that was to be passed on is not the one on record.
    mutating func lookElsewhere(insteadOf id: TaskID) {
        guard var want = exchanges.want(delivering: id) else { return }
        lookElsewhere(&want)
        exchanges.set(want)
    }

    /// The time that a training waits does not begin anew: the fault may be that of the worker that waits.
    private func lookElsewhere(_ want: inout StageWant) {
        want.lookElsewhere(at: isTraining(for: want) ? nil : now)
    }

    /// Asks whoever has what is wanted, and tells whoever waits in vain.
    mutating func advanceHandOvers() {
        for want in exchanges.wants {
            var want = want
            guard isStillWanted(want) else {
                exchanges.remove(want)
                endHandOver(want)
                continue
            }
            want.late.removeAll { !roster.isLive($0.holder) }
            if let delivering = want.delivering {
                let isThere = roster[want.worker]?.copy(of: want.shard)?.stages.contains(delivering.name) == true
                if !isThere, now < delivering.until {
                    if want.names.isEmpty, !want.isTold { tellEnd(&want) }
                    continue
                }
                // Whoever wants it may have found it to be of no use.
                if isThere { (want.delivering, want.since) = (nil, now) } else { lookElsewhere(&want) }
            }
            if let asking = want.asking {
                let isLive = roster.isLive(asking.holder)
                if isLive, now < asking.until { continue }
                // One that is away may come again: it is waited for, or asked anew.
                if isLive { want.passOver() } else { want.asking = nil }
            }
            advance(&want)
        }
    }

    private func isStillWanted(_ want: StageWant) -> Bool {
        guard let worker = roster[want.worker], worker.isLive, shard(want.shard)?.manifest == want.manifest else {
            return false
        }
        switch want.purpose {
        case .keeping: return worker.copy(of: want.shard)?.manifests.contains(want.manifest) == true
        case .replaying(let task): return tasks[task]?.worker == want.worker
        }
    }

    private mutating func advance(_ want: inout StageWant) {
        let end = want.since.advanced(bySeconds: patience(with: want))
        var postponed = 0
        while postponed < want.names.count, let name = want.names.first, now < end {
            let holders = holders(of: name, for: want)
            guard !holders.isEmpty else {
                if wait(for: name, &want, until: end) { return }
                if mayCome(name, for: want) {
                    want.postpone()
                    postponed += 1
                } else {
                    want.pass(name)
                }
                continue
            }
            let free = holders.first { !exchanges.isBusy($0.id) }
            if let free, exchanges.underWay < CoordinatorLimits.stagesUnderWay {
                ask(free, for: name, &want)
            } else if case .replaying(let task) = want.purpose {
                // Whoever has it hands on others: each of these ends in bounded time, and nothing else waits for a replay.
                want.since = now
                tasks.setNews(task, .moves, at: now)
            }
            exchanges.set(want)
            alarms.add(.anything, at: min(end, want.asking?.until ?? end))
            return
        }
        if !want.names.isEmpty, now < end {
            // They are with nobody but who has not answered yet: a disk may be slow.
            if want.waitsUntil != end { alarms.add(.anything, at: end) }
            want.waitsUntil = end
            return exchanges.set(want)
        }
        exchanges.end(want)
        endHandOver(want)
    }

    /// Whoever owns the shard now and does not train it can wait.
    private func patience(with want: StageWant) -> Double {
        isTraining(for: want) || want.purpose != .keeping
            ? CoordinatorLimits.stageSeconds : CoordinatorLimits.handOverSeconds
    }

    private func isTraining(for want: StageWant) -> Bool {
        tasks.tasks(of: want.worker).contains { $0.isTraining && $0.shardOfCopy == want.shard }
    }

    /// Whether somebody has it who was asked for something in vain, and may answer yet.
    private func mayCome(_ name: String, for want: StageWant) -> Bool {
        want.late.contains { asked in
            roster.copy(of: want.shard, at: asked.holder)?.stages.contains(name) == true
                && !want.isRefused(name, by: asked.holder)
        }
    }

    /// Whoever misses its beats for a moment may have it.
    ///
    /// - Returns: whether such a worker is expected.
    private mutating func wait(for name: String, _ want: inout StageWant, until end: CoordinatorInstant) -> Bool {
        let away = holders(of: name, for: want, among: roster.holders(of: want.shard)).filter { !$0.isLive }
        guard let until = away.compactMap(\.absence.expectedUntil).max(), now < until else { return false }
        if case .replaying(let task) = want.purpose { tasks.setNews(task, .moves, at: now) }
        exchanges.set(want)
        alarms.add(.anything, at: min(end, until))
        return true
    }

    private func holders(of name: String, for want: StageWant) -> [KnownWorker] {
        holders(of: name, for: want, among: roster.liveHolders(of: want.shard))
    }

    private func holders(of name: String, for want: StageWant, among workers: [String]) -> [KnownWorker] {
        known(workers).filter { holder in
            holder.copy(of: want.shard)?.stages.contains(name) == true && holder.knows(.handingOver)
                && !want.isRefused(name, by: holder.id) && !want.isLate(holder.id)
                && (want.purpose != .keeping || holder.id != want.worker)
        }
    }

    private mutating func ask(_ holder: KnownWorker, for name: String, _ want: inout StageWant) {
        guard let peer = holder.peer else { return }
        let id = takeTaskID()
        want.asking = StageWant.Asking(name, of: holder.id, task: id, at: now)
        if case .replaying(let task) = want.purpose { tasks.setNews(task, .moves, at: now) }
        roster.update(holder.id) { $0.bring(shard: want.shard, to: want.manifest) }
        dispatch(
            .hand(
                task: id, shard: want.shard, manifest: want.manifest, specification: settings.configuration.training,
                stage: name, from: holder.holder), to: peer)
    }

    private mutating func endHandOver(_ want: StageWant) {
        changes.note(want.shard)
        switch want.purpose {
        case .keeping:
            guard !want.isTold, let peer = roster[want.worker]?.peer else { return }
            dispatch(.noStage(task: takeTaskID(), shard: want.shard), to: peer)
        case .replaying(let task): lacksStage(task)
        }
    }

    /// Nothing more is looked for; what is on its way may still be needed from somebody else.
    private mutating func tellEnd(_ want: inout StageWant) {
        guard let peer = roster[want.worker]?.peer else { return }
        want.isTold = true
        exchanges.set(want)
        dispatch(.noStage(task: takeTaskID(), shard: want.shard), to: peer)
    }

    /// A large message of the worker is on its way: the stage that it hands on, or one before it.
    mutating func noteArriving(from holder: String) {
        guard var want = exchanges.want(askedOf: holder) else { return }
        want.asking?.goesOn(at: now)
        exchanges.set(want)
        alarms.add(.anything, at: want.asking?.until ?? now)
        switch want.purpose {
        case .keeping: noteWaiting(of: want.worker, shard: want.shard)
        case .replaying(let task): tasks.setNews(task, at: now)
        }
    }

    /// A training that waits for a stage is not silent.
    private mutating func noteWaiting(of worker: String, shard: Int) {
        for task in tasks.tasks(of: worker) where task.shardOfCopy == shard { tasks.setNews(task.id, at: now) }
    }

    mutating func takeTaskID() -> TaskID {
        defer { nextTask += 1 }
        return nextTask
    }
}
