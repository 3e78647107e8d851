import Messages

/// Who is here, and for how long it is believed without a word.
///
/// A busy machine is slow and not gone: whoever was silent for long lately is believed for longer, and time in which the
/// coordinator itself stood still counts for nobody.
extension Coordinator {
    mutating func tick() {
        excuseStandstill()
        for worker in roster.live {
            let patience = patience(with: worker)
            if now.seconds(since: worker.lastHeard) >= patience {
                lose(worker.id, because: "nothing was heard of it for \(patience) s", keepsConnection: true)
            } else if let peer = worker.peer, now.seconds(since: worker.lastSent) >= settings.heartbeatSeconds {
                send(.heartbeat, to: peer)
            }
        }
        withdrawSilentTasks()
        forgetAbsentWorkers()
        retryLedgerCommands()
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
        }
        for position in tasks.indices {
            tasks[position].lastNews = min(now, tasks[position].lastNews.advanced(bySeconds: gap))
            tasks[position].awaitedUntil = tasks[position].awaitedUntil?.advanced(bySeconds: gap)
        }
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

    /// A large message is on its way: that is life, and news of whatever it is about.
    mutating func heardBytes(of peer: PeerID) {
        guard let worker = roster.worker(at: peer) else { return }
        roster.update(worker.id) { $0.lastHeard = now }
        noteNews(of: worker.id)
    }

    mutating func disconnect(_ peer: PeerID) {
        if let away = roster.workers.first(where: { $0.absence.peer == peer }) {
            roster.update(away.id) { $0.absence.peer = nil }
        }
        guard let worker = roster.worker(at: peer) else { return }
        lose(worker.id, because: "its connection is gone")
    }

    /// - Parameters:
    ///   - isExpected: whether it may come back and go on with what it was given.
    ///   - keepsConnection: whether something may still be heard on its connection.
    mutating func lose(
        _ id: String, because reason: String, isExpected: Bool = true, keepsConnection: Bool = false
    ) {
        guard let worker = roster[id] else { return }
        log("lost worker \(id): \(reason)")
        let until = now.advanced(bySeconds: reservation(for: worker))
        var absence = WorkerAbsence()
        if isExpected {
            absence.expectedUntil = until
            if keepsConnection { absence.peer = worker.peer }
            absence.given = tasks.filter { $0.worker == id }.map(\.id)
            for position in tasks.indices where tasks[position].worker == id { tasks[position].awaitedUntil = until }
        } else {
            withdrawTasks(of: id) { _ in true }
        }
        roster.update(id) {
            $0.peer = nil
            $0.replaced = nil
            $0.contested = 0
            $0.absence = absence
            $0.adapters = []
        }
        membershipChanged = now
        // Who is away, holds nothing and is not expected need not be remembered; of the others the longest away are
        // forgotten first.
        if roster[id]?.copies.isEmpty == true, absence.given.isEmpty { roster[id] = nil }
        let away = roster.workers.filter { !$0.isLive }
        if away.count > CoordinatorLimits.workers, let oldest = away.min(by: { $0.lastHeard < $1.lastHeard }) {
            withdrawTasks(of: oldest.id) { _ in true }
            roster[oldest.id] = nil
        }
    }

    private func reservation(for worker: KnownWorker) -> Double {
        let bounds = CoordinatorLimits.reservationSeconds
        return min(max(3 * worker.longestGap, bounds.lowerBound), bounds.upperBound)
    }

    /// Workers that hold no data and whose work others have.
    private mutating func forgetAbsentWorkers() {
        for worker in roster.workers where !worker.isLive && worker.copies.isEmpty {
            guard now.seconds(since: worker.lastHeard) >= settings.silenceSeconds else { continue }
            guard !tasks.contains(where: { $0.worker == worker.id }) else { continue }
            roster[worker.id] = nil
        }
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
