import Foundation

/// Hands values from any thread to one that waits in a `Poller` (or in `take`).
///
/// The descriptor is readable while something lies in the box; it is written only when the box was empty before.
public final class Mailbox<Element: Sendable>: Sendable {
    private let wakeUp: WakeUp
    private let elements = Locked<[Element]>([])

    /// For `Poller.Source.descriptor`.
    public var descriptor: Int32 { wakeUp.descriptor }

    public init() throws(ZeroMQError) {
        wakeUp = try WakeUp()
    }

    public func post(_ element: Element) { post(contentsOf: [element]) }

    /// Several, which whoever waits gets together.
    public func post(contentsOf posted: [Element]) {
        let wasEmpty = elements.withLock { elements in
            elements += posted
            return elements.count == posted.count
        }
        // Whoever wakes up is not to find the lock taken. A signal too many wakes nobody for nothing more than once.
        if wasEmpty && !posted.isEmpty { wakeUp.signal() }
    }

    /// Everything posted so far, in order; the descriptor is readable again only when more is.
    public func drain() -> [Element] {
        // First: what is posted from now on either is taken here or signals anew.
        wakeUp.reset()
        return elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
    }

    /// Waits for something to be posted: for a receiver that has no sockets.
    ///
    /// - Returns: everything posted so far; nothing when the timeout passed.
    public func take(timeout: Duration? = nil) -> [Element] {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            wakeUp.wait(timeout: deadline.map { max(.zero, $0 - ContinuousClock.now) })
            let elements = drain()
            if !elements.isEmpty { return elements }
            if let deadline, ContinuousClock.now >= deadline { return [] }
        }
    }
}
