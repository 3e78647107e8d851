import Messages

/// Whether a task goes on, as far as its worker's messages show it. Who says the same again and again, or sends bytes that never
/// become a message, does not keep its work for that.
struct TaskHeadway: Sendable {
    /// What a message is for a task, the most first.
    enum News: Int, Comparable, Sendable {
        /// It was said before: as if nothing had been heard.
        case repeats
        /// A sign of life, of which the task is none the further.
        case says
        /// More is done, or less is missing, than at any time before.
        case moves

        static func < (one: News, other: News) -> Bool { one.rawValue < other.rawValue }
    }

    /// For how long signs of life count without more.
    var patience = CoordinatorLimits.standstillSeconds
    /// When the task last got on, or was given out.
    private(set) var lastMove: CoordinatorInstant?
    private var steps: Steps?
    /// How often the steps began anew.
    private var beginnings = 0
    private var needed = Lacking()
    private var lacked = Lacking()

    /// Since the steps last began.
    private struct Steps: Sendable {
        /// What was told last.
        var last: Int
        /// How many there are, as was told at first.
        var all: Int
    }

    /// The task is given out, or taken back from before.
    mutating func begin(at now: CoordinatorInstant) { lastMove = lastMove ?? now }

    /// Reads a message that concerns the task.
    ///
    /// - `countsLife`: the worker tells also between two steps that it goes on, as of a comparison: a row of it takes as long as
    ///   several trainings.
    /// - `most`: steps that the task can have; nil: that is not known.
    mutating func news(in message: WorkerMessage, countsLife: Bool, most: Int?) -> News {
        switch message {
        case .progress(let progress):
            return news(progress.step, of: progress.steps, countsLife: countsLife, most: most)
        case .need(_, let digests): return needed.news(digests.count)
        case .lacks(_, let adapters): return lacked.news(adapters)
        default: return message.answeredTask == nil ? .says : .moves
        }
    }

    /// Some work has several parts whose steps are counted each from the start, and a training may begin anew on its worker. Other
    /// than that there are as many as there were at first, and no more than the data has.
    private mutating func news(_ step: Int, of all: Int, countsLife: Bool, most: Int?) -> News {
        guard step <= min(all, most ?? CoordinatorLimits.steps) else { return .repeats }
        guard let known = steps, step >= known.last, all == known.all else {
            if steps != nil {
                guard beginnings < CoordinatorLimits.beginnings else { return .repeats }
                beginnings += 1
            }
            steps = Steps(last: step, all: all)
            return .moves
        }
        guard step > known.last || countsLife else { return .repeats }
        steps?.last = step
        return .moves
    }

    mutating func moved(at now: CoordinatorInstant) { lastMove = now }

    /// The worker may have a new connection: what it was sent over the one before need not have come.
    mutating func reopen() {
        needed.reopen()
        lacked.reopen()
    }

    /// Whether a sign of life still counts.
    func isBelieved(at now: CoordinatorInstant) -> Bool {
        lastMove.map { now.seconds(since: $0) < patience } ?? true
    }

    /// Time passed that counts for nobody.
    mutating func excuse(_ seconds: Double, at now: CoordinatorInstant) {
        lastMove = lastMove.map { min(now, $0.advanced(bySeconds: seconds)) }
    }
}
