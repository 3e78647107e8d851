import Messages

/// Replies that tell of what was forgotten, until nobody can answer from it any more. A value without a clock.
package struct LeasedReplies<Reply> {
    private var waiting: [(version: UInt64, reply: Reply)] = []

    package init() {}

    package var count: Int { waiting.count }

    /// - Returns: whether it has to wait.
    package mutating func hold(_ reply: Reply, _ book: LeaseBook, at now: Int64) -> Bool {
        if book.inheritsNothing(at: now), book.settled(at: now) >= book.version { return false }
        waiting.append((book.version, reply))
        return true
    }

    /// - Returns: those that need not wait any more, in the order in which they came.
    package mutating func release(_ book: LeaseBook, at now: Int64) -> [Reply] {
        guard !waiting.isEmpty, book.inheritsNothing(at: now) else { return [] }
        let settled = book.settled(at: now)
        let ready = waiting.prefix { $0.version <= settled }.map(\.reply)
        waiting.removeFirst(ready.count)
        return ready
    }
}
