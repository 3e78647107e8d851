import Messages

/// Who is here, and for how long it is believed without a word.
///
/// A busy machine is slow and not gone: whoever was silent for long lately is believed for longer, and time in which the
/// coordinator itself stood still counts for nobody.
extension Coordinator {
    mutating func tick() {
        excuseStandstill()
        let (now, usual) = (now, settings.heartbeatSeconds)
        let due = roster.ids {
            $0.isLive && (now.seconds(since: $0.lastHeard) >= usual || now.seconds(since: $0.lastSent) >= usual)
        }
        for worker in known(due) {
            let patience = patience(with: worker)
            if now.seconds(since: worker.lastHeard) >= patience {
                lose(worker.id, because: "nothing was heard of it for \(patience) s", keepsConnection: true)
            } else if let peer = worker.peer, now.seconds(since: worker.lastSent) >= settings.heartbeatSeconds {
                send(.heartbeat, to: peer)
            }
        }
        withdrawSilentTasks()
        noteUnseen()
        retryLedgerCommands()
        sayCommitting()
    }

    /// What came while nothing was read is read after the tick: nobody is judged by it.
    private mutating func excuseStandstill() {
        defer { lastTick = now }
        guard let before = lastTick else { return }
        let gap = now.seconds(since: before)
        guard gap >= CoordinatorLimits.lateTickSeconds else { return }
        for worker in roster.workers {
            roster.update(worker.id) {
                if $0.isLive { $0.lastHeard = now }
                $0.absence.expectedUntil = $0.absence.expectedUntil?.advanced(bySeconds: gap)
            }
            if let worker = roster[worker.id] { expect(worker) }
        }
        tasks.excuse(gap, at: now)
    }

    /// Seconds for which nothing need be heard of a worker.
    private func patience(with worker: KnownWorker) -> Double {
        let usual = settings.heartbeatSeconds * Double(settings.liveness)
        let seen = 2 * worker.longestGap + settings.heartbeatSeconds
        return max(usual, min(seen, CoordinatorLimits.longestPatience))
    }

    /// Connections of workers of which no whole message came for a heartbeat.
    package func quietPeers(at now: CoordinatorInstant) -> [PeerID] {
        roster.workers.compactMap { worker in
            now.seconds(since: worker.lastMessage) > 1.25 * settings.heartbeatSeconds ? worker.peer : nil
        }
    }

    /// A large message is on its way: that is life, and for a while news of whatever it is about.
    mutating func heardBytes(of peer: PeerID) {
        guard let worker = roster.worker(at: peer) else { return }
        roster.update(worker.id) { $0.lastHeard = now }
        noteBytes(of: worker.id)
        noteArriving(from: worker.id)
    }

    mutating func disconnect(_ peer: PeerID, because reason: String) {
        forgetKept(peer)
        guard let worker = roster.worker(at: peer) else { return }
        lose(worker.id, because: reason)
    }

    /// Nothing that comes on this connection is of a worker that was lost there: it has to greet.
    mutating func forgetKept(_ peer: PeerID) {
        guard let away = roster.keptWorker(at: peer) else { return }
        roster.update(away.id) { $0.absence.peer = nil }
    }

    /// - Parameters:
    ///   - isExpected: whether it may come back and go on with what it was given.
    ///   - keepsConnection: whether something may still be heard on its connection.
    mutating func lose(
        _ id: String, because reason: String, isExpected: Bool = true, keepsConnection: Bool = false
    ) {
        guard let worker = roster[id] else { return }
        // Its goodbye may be lost with the connection.
        let drained = worker.duty == .drain && isEmpty(worker) ? worker.toldToLeave : nil
        let reason = drained == nil ? reason : "drained; \(reason)"
        log("lost worker \(worker.title): \(reason)", worker: id)
        let until = now.advanced(bySeconds: reservation(for: worker))
        var absence = WorkerAbsence()
        if isExpected, drained == nil {
            absence.expectedUntil = until
            if keepsConnection { absence.peer = worker.peer }
            absence.given = tasks.load(of: id).ids
            for task in absence.given { tasks.setAwaited(task, until: until) }
        } else {
            withdrawTasks(of: id) { _ in true }
        }
        roster.update(id) {
            $0.peer = nil
            $0.replaced = nil
            $0.contested = 0
            $0.absence = absence
            $0.adapters = []
            // Whoever is heard again on this connection does not say it again.
            $0.isLeaving = $0.isLeaving && keepsConnection
            $0.toldToLeave = nil
            $0.settleDrain(since: drained)
            $0.away = KnownWorker.Away(since: now, reason: reason)
        }
        fleet.note(id)
        membershipChanged = now
        if let worker = roster[id] { expect(worker) }
        // Who said that it leaves nothing behind need not be remembered, unless it is paused under its name; of the others those
        // that hold nothing, and then the longest away, are forgotten first.
        unlistIfGone(id)
        guard roster.awayCount > CoordinatorLimits.workers else { return }
        let away = roster.workers.filter { !$0.isLive }
        let empty = away.filter { $0.copies.isEmpty && !tasks.hasWorker($0.id) && !settlements.owes($0.id) }
        if let oldest = (empty.isEmpty ? away : empty).min(by: { $0.lastHeard < $1.lastHeard }) {
            withdrawTasks(of: oldest.id) { _ in true }
            unlist(oldest.id)
        }
    }

    /// Who leaves nothing behind and is not expected back, once the ledger was told.
    mutating func unlistIfGone(_ id: String) {
        guard let worker = roster[id], !worker.isLive, worker.isEphemeral, worker.copies.isEmpty,
            worker.absence.given.isEmpty, worker.absence.expectedUntil == nil, !worker.isKeptForItsDuty,
            !settlements.owes(id)
        else { return }
        unlist(id)
    }

    /// When the time comes, what waits for a worker that is away waits no longer.
    private mutating func expect(_ worker: KnownWorker) {
        guard !worker.isLive, let until = worker.absence.expectedUntil else { return }
        alarms.add(.anything, at: until)
        for copy in worker.copies { alarms.add(.shard(copy.shard), at: until) }
    }

    private func reservation(for worker: KnownWorker) -> Double {
        let bounds = CoordinatorLimits.reservationSeconds
        return min(max(3 * worker.longestGap, bounds.lowerBound), bounds.upperBound)
    }
}

extension KnownWorker {
    /// The longest silence counts for less with every second since.
    mutating func heard(at now: CoordinatorInstant) {
        let gap = now.seconds(since: lastHeard)
        longestGap = max(gap, longestGap - gap / 20)
        lastHeard = now
        lastMessage = now
    }
}
