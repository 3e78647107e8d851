import Logging

/// Lines of the log that peers can cause: so many a minute of each kind, and then how many more there were. A value.
package struct PeerLog {
    package static let linesAMinute = 30

    private var began: ContinuousClock.Instant
    private var lines: [String: Int] = [:]
    /// Of lines that are written once for each subject: whom there is one of.
    private var subjects: [String: Set<String>] = [:]
    /// And how often there was no further one.
    private var repeated: [String: Int] = [:]

    package init(at now: ContinuousClock.Instant = .now) {
        began = now
    }

    /// - Parameter kind: how the count of what is left out calls them.
    /// - Returns: whether the line may be written.
    package mutating func admits(_ kind: String) -> Bool {
        lines[kind, default: 0] += 1
        return lines[kind, default: 0] <= Self.linesAMinute
    }

    /// The same for what comes again and again: of one subject there is one line a minute.
    package mutating func admits(_ kind: String, once subject: String) -> Bool {
        // Subjects are remembered no longer than lines may be written.
        let known = subjects[kind] ?? []
        guard known.count < Self.linesAMinute, !known.contains(subject) else {
            repeated[kind, default: 0] += 1
            return false
        }
        subjects[kind, default: []].insert(subject)
        return admits(kind)
    }

    /// What was left out in the minute that ended; nil while it lasts, and when that is nothing.
    package mutating func leftOut(at now: ContinuousClock.Instant) -> String? {
        guard now - began >= .seconds(60) else { return nil }
        defer { self = PeerLog(at: now) }
        let more = Set(lines.keys).union(repeated.keys).sorted().compactMap { kind -> String? in
            let count = max(0, lines[kind, default: 0] - Self.linesAMinute) + repeated[kind, default: 0]
            return count > 0 ? "\(count) lines on \(kind)" : nil
        }
        return more.isEmpty ? nil : "left out of the last minute: " + more.joined(separator: ", ")
    }
}
