import ZeroMQ

/// A bounded number of something, of which nobody has all: one asker's flood leaves room for others.
final class Slots: Sendable {
    private struct Taken {
        var all = 0
        /// Of whoever has any.
        var each: [String: Int] = [:]
    }

    private let limit: Int
    private let limitOfEach: Int
    private let taken = Locked(Taken())

    /// - `limit`: of all together.
    /// - `each`: of one asker; nil: all but one, and one where there is no other.
    init(_ limit: Int, each: Int? = nil) {
        self.limit = limit
        limitOfEach = each ?? max(1, limit - 1)
    }

    /// - `count`: all of them, or none.
    /// - `asker`: as `Call` knows it.
    func take(_ count: Int = 1, for asker: String) -> Bool {
        taken.withLock { taken in
            let own = taken.each[asker] ?? 0
            guard count <= limit - taken.all, count <= limitOfEach - own else { return false }
            taken.all += count
            taken.each[asker] = own + count
            return true
        }
    }

    func give(_ count: Int = 1, for asker: String) {
        taken.withLock { taken in
            let left = (taken.each[asker] ?? 0) - count
            taken.all -= count
            taken.each[asker] = left > 0 ? left : nil
        }
    }
}
