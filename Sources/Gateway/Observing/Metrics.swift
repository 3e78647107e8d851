import Foundation
import ZeroMQ

/// What the gateway counts of itself. Labels are routes and statuses, never anybody's name.
final class Metrics: Sendable {
    struct Key: Hashable, Comparable, Sendable {
        var method: String
        /// The path as the table has it, or "other".
        var route: String
        var status: Int

        static func < (left: Key, right: Key) -> Bool {
            (left.route, left.method, left.status) < (right.route, right.method, right.status)
        }
    }

    struct Histogram: Sendable {
        /// Upper ends, in seconds.
        static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
        var counts = Array(repeating: 0, count: bounds.count)
        var count = 0
        var sum = 0.0

        mutating func add(_ seconds: Double) {
            count += 1
            sum += seconds
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound { counts[index] += 1 }
        }
    }

    struct Counted: Sendable {
        var requests: [Key: Int] = [:]
        var durations: [String: Histogram] = [:]
        /// Answers that were ready and were not let out.
        var withheld = 0
        var connections = ConnectionRegister.Counts()
    }

    private let counted = Locked(Counted())
    private let connections: ConnectionRegister?

    /// - Parameter connections: nil: there are none.
    init(connections: ConnectionRegister? = nil) { self.connections = connections }

    func add(_ key: Key, seconds: Double) {
        counted.withLock { counted in
            counted.requests[key, default: 0] += 1
            counted.durations[key.route, default: Histogram()].add(seconds)
        }
    }

    func addWithheld() { counted.withLock { $0.withheld += 1 } }

    var now: Counted {
        var now = counted.withLock { $0 }
        if let connections { now.connections = connections.counts }
        return now
    }
}
