/// As long as nothing has taken a connection: a slow answer is worth waiting for, a coordinator that is not there soon is not, and
/// whoever waits for one is told.
package struct Absence {
    /// How long a coordinator may take to come up.
    package static let arrival = Duration.seconds(15)
    /// When a person begins to wonder.
    package static let word = Duration.seconds(3)

    private let begin: ContinuousClock.Instant
    private var hasSpoken = false

    package init(begin: ContinuousClock.Instant) { self.begin = begin }

    /// When it is given up, which is `deadline` if that is sooner.
    package func end(before deadline: ContinuousClock.Instant) -> ContinuousClock.Instant {
        min(deadline, begin + Self.arrival)
    }

    /// When to look up for the word's sake, which is `moment` if that is sooner or it was said.
    package func nextWord(before moment: ContinuousClock.Instant) -> ContinuousClock.Instant {
        hasSpoken ? moment : min(moment, begin + Self.word)
    }

    /// Once.
    package mutating func mustSpeak(at now: ContinuousClock.Instant) -> Bool {
        guard !hasSpoken, now >= begin + Self.word else { return false }
        hasSpoken = true
        return true
    }
}
