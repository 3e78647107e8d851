import Messages

/// Copies that would go, and are kept for the stages that lie beside them: whoever owns the shard now gets these first.
extension Coordinator {
    /// A name that no stage has: whoever is asked for it brings its copy to the data of now and answers that it has none. What it
    /// says of its copy may have been said before it heard of that.
    private static let noStage = "none"

    /// Keeps a copy that would go now, for as long as whoever owns the shard may want the stages that lie beside it. What of it
    /// has been forgotten goes at once all the same.
    ///
    /// - Returns: whether it stays for the moment.
    mutating func holdsBack(_ copy: KnownCopy, of worker: KnownWorker) -> Bool {
        guard copy.releaseSent == nil, let shard = shard(copy.shard), shard.prompts > 0, let peer = worker.peer,
            worker.knows(.handingOver), let wanting = wanting(copy, of: worker, manifest: shard.manifest)
        else { return false }
        let heir = wanting.heir
        let present = Set(heir?.copy(of: copy.shard)?.stages ?? [])
        guard copy.stages.contains(where: { !present.contains($0) }) else { return false }
        var held = copy.heldBack ?? KnownCopy.HeldBack(manifest: shard.manifest, since: now, told: now)
        // Data that changes again and again must not hold up a drain for ever.
        if held.manifest != shard.manifest {
            held = KnownCopy.HeldBack(manifest: shard.manifest, since: held.since, busy: held.busy, told: now)
        }
        // Its task is taken away where it does not go on with it.
        let isBusy =
            heir.map { tasks.tasks(of: $0.id).contains { $0.isTraining && $0.shardOfCopy != copy.shard } } ?? false
        let isKnown = held.busy.map { now.seconds(since: $0) < CoordinatorLimits.handSeconds } ?? false
        if isBusy, !isKnown { held.busy = now }
        let isStale = !copy.isExactly(shard.manifest)
        guard !held.isRefused else { return false }
        if isStale, held.before == nil {
            roster.update(worker.id) { $0.bring(shard: shard.index, to: shard.manifest) }
            held.before = roster.copy(of: shard.index, at: worker.id)?.manifests
            let task = takeTaskID()
            held.asked = task
            dispatch(
                .hand(
                    task: task, shard: shard.index, manifest: shard.manifest,
                    specification: settings.configuration.training, stage: Self.noStage, from: worker.holder), to: peer)
        }
        // Who does not say what is left of it is told to delete it.
        let isUnanswered =
            isStale
            && (held.asked != nil || held.before == roster.copy(of: shard.index, at: worker.id)?.manifests)
        // What is wanted is being worked off.
        let isWanted = !isUnanswered && heir.map { exchanges.isWanted(copy.shard, by: $0.id) } ?? false
        let end = isUnanswered ? min(held.answerEnd, held.idleEnd) : held.idleEnd
        guard now < held.lastEnd, isWanted || now < end else { return false }
        if held != copy.heldBack {
            roster.update(worker.id) { $0.holdBack(held, copyOf: shard.index) }
            // While the heir trains it is looked at again before its time is over.
            let again = held.busy?.advanced(bySeconds: CoordinatorLimits.handSeconds)
            for time in held.ends + [again].compactMap({ $0 }) where time > now {
                alarms.add(.shard(shard.index), at: time)
            }
        }
        if let until = wanting.until { alarms.add(.shard(shard.index), at: until) }
        return true
    }

    /// Who may want what lies beside the copy: whoever owns the shard, also while it misses its beats for a moment; or, where nobody
    /// does, whoever is expected, as everybody is when the coordinator has just started. nil: nobody.
    ///
    /// - Returns: `until`: when it is to be looked at again, whatever happens.
    private func wanting(
        _ copy: KnownCopy, of worker: KnownWorker, manifest: String
    ) -> (heir: KnownWorker?, until: CoordinatorInstant?)? {
        guard let heir = owners[copy.shard].flatMap({ roster[$0] }) else {
            return roster.expectedUntil(at: now).map { (nil, $0) }
        }
        guard heir.id != worker.id, heir.isHereOrExpected(at: now), heir.knows(.handingOver),
            !exchanges.hasEnded(copy.shard, for: heir.id, manifest: manifest)
        else { return nil }
        return (heir, heir.isLive ? nil : heir.absence.expectedUntil)
    }

    /// The copy is to stay anyway: the next time that it is to go is another one.
    mutating func endHold(of copy: KnownCopy, by worker: KnownWorker) {
        guard copy.heldBack != nil else { return }
        roster.update(worker.id) { $0.holdBack(nil, copyOf: copy.shard) }
    }

    /// The worker has brought its copy to the data of now, or could not.
    mutating func answered(_ copy: KnownCopy, _ error: ClientError, by worker: KnownWorker) {
        // The data changed before it was told: it will be told again.
        guard var held = copy.heldBack, error.code != .stale else { return }
        held.asked = nil
        held.isRefused = error.code != .notHeld
        roster.update(worker.id) { $0.holdBack(held, copyOf: copy.shard) }
        changes.note(copy.shard)
    }
}
