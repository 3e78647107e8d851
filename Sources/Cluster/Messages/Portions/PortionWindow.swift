/// How many bytes of portions may be on their way: as many as the link carries in a fraction of a second.
///
/// What counts is how much longer than at best a portion takes until it is confirmed: by that it waited behind others, and
/// so would a heartbeat. A link that is only long is not slow.
package struct PortionWindow: Sendable {
    /// Seconds of waiting below which the window grows, at which it should be, and above which it shrinks.
    static let (grows, wanted, shrinks) = (0.1, 0.2, 0.3)
    /// Seconds within which a portion is confirmed where nothing is slow: there it grows three times as fast.
    private static let fast = 0.025
    /// To how much of itself it shrinks at once.
    private static let shares = 1.0 / 16...0.5

    package private(set) var bytes = PortionLimits.firstWindow
    private var quickest = Double.infinity
    /// Portions that were sent before it shrank say nothing of it since.
    private var shrunkAt = -Double.infinity

    package init() {}

    /// Bytes of the next portion.
    package var portion: Int {
        min(max(bytes / 4, PortionLimits.portion.lowerBound), PortionLimits.portion.upperBound)
    }

    /// - `count`: bytes that the other side has read.
    /// - `sent`: when the last of them were sent, in seconds of a monotonic clock.
    package mutating func confirmed(_ count: Int, sentAt sent: Double, at now: Double) {
        let taken = max(0, now - sent)
        quickest = min(quickest, taken)
        let waited = taken - quickest
        if waited < Self.grows {
            bytes = min(PortionLimits.mostWindow, bytes + (taken < Self.fast ? 3 : 1) * count)
        } else if waited > Self.shrinks, sent >= shrunkAt {
            let share = min(max(Self.wanted / waited, Self.shares.lowerBound), Self.shares.upperBound)
            bytes = max(PortionLimits.leastWindow, Int(Double(bytes) * share))
            shrunkAt = now
        }
    }
}
