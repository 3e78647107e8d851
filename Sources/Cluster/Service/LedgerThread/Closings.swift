/// Forget requests that wait to be closed, in their order.
///
/// Closed in the transaction of the next acknowledgement, a request costs no syncs of its own. So they wait for one, a
/// moment: whoever asks right after an acknowledgement is not to wait for closings either.
package struct Closings<Write> {
    /// After the last acknowledgement, or after the first of them came.
    package static var patience: Duration { .milliseconds(10) }
    /// Closed together where nobody waits: who comes right then is not to notice.
    package static var alone: Int { 8 }

    /// Closed with those that are acknowledged: a quarter more than they are, so that what waits grows shorter and costs nobody
    /// who waits for an acknowledgement much more than closing their own would.
    package static func together(acknowledged: Int) -> Int { acknowledged + max(1, acknowledged / 4) }

    private var waiting: [Write] = []
    /// Of `waiting`, those that were taken already.
    private var taken = 0
    private var due = ContinuousClock.now

    package init() {}

    package var count: Int { waiting.count - taken }

    /// When they are to be closed though nobody is acknowledged; nil: none waits.
    package var next: ContinuousClock.Instant? { count == 0 ? nil : due }

    package mutating func add(_ write: Write, at now: ContinuousClock.Instant) {
        if count == 0 { due = now + Self.patience }
        waiting.append(write)
    }

    /// What is closed in the transaction of other writes, so many of which acknowledge something.
    package mutating func take(besides acknowledged: Int, at now: ContinuousClock.Instant) -> [Write] {
        if acknowledged > 0 { due = now + Self.patience }
        return take(Self.together(acknowledged: acknowledged))
    }

    /// What is closed in a transaction of its own.
    package mutating func takeDue(at now: ContinuousClock.Instant) -> [Write] { now < due ? [] : take(Self.alone) }

    package mutating func takeAll() -> [Write] { take(count) }

    private mutating func take(_ most: Int) -> [Write] {
        let end = min(waiting.count, taken + most)
        defer {
            taken = end
            // Moving the rest costs each of them once.
            if taken * 2 >= waiting.count {
                waiting.removeFirst(taken)
                taken = 0
            }
        }
        return Array(waiting[taken..<end])
    }
}
