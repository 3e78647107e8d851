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

    public func post(_ element: Element) {
        elements.withLock { elements in
            elements.append(element)
            if elements.count == 1 { wakeUp.signal() }
        }
    }

    /// Everything posted so far, in order; the descriptor is no longer readable.
    public func drain() -> [Element] {
        elements.withLock { elements in
            guard !elements.isEmpty else { return [] }
            wakeUp.reset()
            defer { elements = [] }
            return elements
        }
    }

    /// Waits for something to be posted: for a receiver that has no sockets.
    ///
    /// - Returns: everything posted so far; nothing when the timeout passed.
    public func take(timeout: Duration? = nil) -> [Element] {
        wakeUp.wait(timeout: timeout)
        return drain()
    }
}
