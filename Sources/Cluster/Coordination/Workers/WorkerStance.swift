import Messages

/// What part of the work a worker that is here takes.
enum WorkerStance: Sendable {
    case works
    /// It gets no new work and keeps what it holds: an operator paused it, or it was asked to end and finishes what it does.
    case keeps
    /// It is drained: it finishes what it does, and everything else is others'.
    case gives
}

/// How much a worker gets done, as far as that is known.
struct WorkerCapacity: Hashable, Sendable {
    var threads = 0
    /// Tokens a second of its trainings; nil: none was measured.
    var pace: Double?
}

/// How fast a worker trains. What placement goes by changes only where the difference is more than noise: shards would move to
/// and fro with it, and their data with them.
struct WorkerPace: Sendable {
    /// Tokens a second, the last trainings counting most.
    private(set) var measured: Double?
    /// What placement goes by.
    private(set) var used: Double?

    /// A training has ended.
    mutating func note(tokens: Int, seconds: Double) {
        guard tokens > 0, seconds > 0 else { return }
        let rate = Double(tokens) / seconds
        guard rate.isFinite else { return }
        let smooth = measured.map { 0.7 * $0 + 0.3 * rate } ?? rate
        measured = smooth
        if let used, abs(smooth / used - 1) <= Self.noise { return }
        used = smooth
    }

    private static let noise = 0.25
}

extension KnownWorker {
    /// Why one is away that ended in good order.
    static let goodbye = "it said goodbye"
    /// Why a worker of before this start is away.
    static let notSeen = "not seen since the coordinator started"

    var capacity: WorkerCapacity { WorkerCapacity(threads: threads, pace: pace.used) }

    /// Whether it was paused, ended, and keeps nothing for another start but its name.
    var isPausedLife: Bool { !isLive && isEphemeral && duty == .pause }

    /// Whether nothing is to be known of it any more but what was wanted of it.
    var isOver: Bool { !isLive && isEphemeral && copies.isEmpty && away?.reason == Self.goodbye }

    /// Whether its name is its own, and its next start has it again.
    private var hasChosenName: Bool { name == claim }

    /// Whether it is remembered for its name alone: that is to be paused also at its next start.
    var isKeptForItsDuty: Bool { duty == .pause && hasChosenName }

    /// Whether it is here and ends as soon as it has nothing left to do.
    var isToLeave: Bool { isLive && (duty == .drain || isLeaving) }

    /// Whoever starts it again wants it to work.
    ///
    /// - `since`: nil: it is not drained yet.
    mutating func settleDrain(since: CoordinatorInstant?) {
        guard let since else { return }
        (duty, drainedSince) = (.work, since)
    }

    /// It greets: the process that was to be drained, and only seemed to have ended, is so still.
    mutating func goOnDraining(isSameProcess: Bool) {
        guard let drained = drainedSince else { return }
        drainedSince = nil
        if isSameProcess, started.map({ $0 <= drained }) ?? true { duty = .drain }
    }

    /// What the ledger has of it.
    mutating func take(_ record: WorkerRecord, awaySince since: CoordinatorInstant) {
        (process, address, release) = (record.process, record.address, record.release)
        (isEphemeral, duty, recorded, isListed) = (record.isEphemeral, record.duty, record, true)
        away = Away(since: since, reason: record.absence ?? Self.notSeen)
    }
}
