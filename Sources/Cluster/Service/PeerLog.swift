import Logging

/// Lines of the log that peers can cause: so many a minute of each kind, and then how many more there were.
struct PeerLog {
    static let linesAMinute = 30

    private var began = ContinuousClock.now
    private var lines: [String: Int] = [:]

    /// - Parameter kind: how the count of what is left out calls them.
    /// - Returns: whether the line may be written.
    mutating func admits(_ kind: String) -> Bool {
        lines[kind, default: 0] += 1
        return lines[kind, default: 0] <= Self.linesAMinute
    }

    /// What was left out in the minute that ended; nil while it lasts, and when that is nothing.
    mutating func leftOut(at now: ContinuousClock.Instant) -> String? {
        guard now - began >= .seconds(60) else { return nil }
        defer {
            began = now
            lines = [:]
        }
        let more = lines.filter { $0.value > Self.linesAMinute }.sorted { $0.key < $1.key }
        guard !more.isEmpty else { return nil }
        return "left out of the last minute: "
            + more.map { "\($0.value - Self.linesAMinute) lines on \($0.key)" }.joined(separator: ", ")
    }
}
