/// How long messages share a worker's connection with short ones. Both sides know these numbers.
package enum PortionLimits {
    /// Bytes of a message up to which it goes whole. Longer ones are cut into portions.
    package static let short = 32 << 10
    /// Bytes of portions that may be on their way at once: at first, at least and at most.
    package static let firstWindow = 16 << 10
    package static let leastWindow = 16 << 10
    package static let mostWindow = 4 << 20
    /// Bytes of one portion.
    package static let portion = (16 << 10)...(256 << 10)
    /// Frames, whole or in part, of one portion.
    static let frames = 1024
    /// Bytes that may come before the other side has said anything.
    package static let firstCredit = 64 << 10
    /// Bytes that wait for one peer, but for a message that waits alone. What is above is not sent.
    package static let heldBytes = 1 << 30
    /// The same for all peers of a coordinator. Above it whoever has the most waiting goes.
    package static let heldBytesInAll = 4 << 30
    /// Bytes of messages that are not whole yet, of all peers of a coordinator. Above it only the oldest goes on.
    package static let unfinishedBytesInAll = 1 << 30
    /// Bytes that a coordinator's socket has for one worker, unconfirmed, above which the connection is closed: the window,
    /// and short messages.
    package static let unreadBytes = 32 << 20
    /// How long a transfer may stand still while the other side could go on, in seconds.
    package static let patience = 60.0
    /// What a message counts beside its bytes.
    static let parcelBytes = 256
}
