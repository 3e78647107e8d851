import Logging

/// Lines of the log that peers can cause: so many a minute of each kind, and then how many more there were. A value.
package struct PeerLog {
    package static let linesAMinute = 30

    private var began: ContinuousClock.Instant
    private var lines: [String: (written: Int, leftOut: Int)] = [:]
    /// Of lines that are written once for each subject: whom there is one of.
    private var subjects: [String: Set<String>] = [:]

    package init(at now: ContinuousClock.Instant = .now) {
        began = now
    }

    /// - Parameters:
    ///   - kind: how the count of what is left out calls them.
    ///   - peers: for each of which there may be one more line.
    /// - Returns: whether the line may be written.
    package mutating func admits(_ kind: String, peers: Int = 0) -> Bool {
        let isAdmitted = lines[kind, default: (0, 0)].written < Self.linesAMinute + peers
        note(kind, isAdmitted: isAdmitted)
        return isAdmitted
    }

    /// The same for what comes again and again: of one subject there is one line a minute.
    package mutating func admits(_ kind: String, once subject: String) -> Bool {
        // Subjects are remembered no longer than lines may be written.
        let known = subjects[kind] ?? []
        guard known.count < Self.linesAMinute, !known.contains(subject) else {
            note(kind, isAdmitted: false)
            return false
        }
        subjects[kind, default: []].insert(subject)
        return admits(kind)
    }

    private mutating func note(_ kind: String, isAdmitted: Bool) {
        if isAdmitted {
            lines[kind, default: (0, 0)].written += 1
        } else {
            lines[kind, default: (0, 0)].leftOut += 1
        }
    }

    /// What was left out in the minute that ended; nil while it lasts, and when that is nothing.
    package mutating func leftOut(at now: ContinuousClock.Instant) -> String? {
        guard now - began >= .seconds(60) else { return nil }
        defer { self = PeerLog(at: now) }
        let more = lines.filter { $0.value.leftOut > 0 }.sorted { $0.key < $1.key }
        guard !more.isEmpty else { return nil }
        return "left out of the last minute: "
            + more.map { "\($0.value.leftOut) lines on \($0.key)" }.joined(separator: ", ")
    }
}
