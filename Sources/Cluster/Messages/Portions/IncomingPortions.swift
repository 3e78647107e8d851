/// One direction of a worker's connection, at its receiving end: puts long messages together, one at a time. A value.
///
/// Nothing is believed: a portion that does not follow the one before it, is more than was announced, comes without credit or
/// belongs to a message above the limit is an error, after which nothing of the connection can be understood.
package struct IncomingPortions: Sendable {
    fileprivate struct Open {
        var total: Int
        var frames: [[UInt8]] = []
        var bytes = 0
        var endsFrame = true
    }

    /// Bytes of a message.
    private let limit: Int
    private var open: Open?
    private var message = 0
    /// Bytes over the connection: that have come, and that may.
    private var (received, allowed) = (0, PortionLimits.firstCredit)

    package init(limit: Int) {
        self.limit = limit
    }

    /// Bytes of the message that is not whole yet.
    package var bytes: Int { open?.bytes ?? 0 }
    package var isOpen: Bool { open != nil }
    /// Whether the other side may send more.
    package var isAllowed: Bool { allowed > received }

    /// - Returns: the frames of the message that is whole with this portion.
    package mutating func take(_ portion: Portion) throws(WireError) -> [[UInt8]]? {
        if open == nil {
            guard portion.message == message + 1, portion.offset == 0 else { throw Self.outOfTurn }
            guard portion.total > 0 else { throw Self.outOfTurn }
            guard portion.total <= limit else {
                throw .tooLarge(what: "message in portions", size: portion.total, limit: limit)
            }
            message += 1
            open = Open(total: portion.total)
        }
        guard var open, portion.message == message, portion.total == open.total, portion.offset == open.bytes else {
            throw Self.outOfTurn
        }
        let count = portion.bytes
        guard count > 0, count <= open.total - open.bytes else {
            throw .malformed(reason: "portions of another length than was announced")
        }
        guard count <= allowed - received else { throw .malformed(reason: "a portion without credit") }
        // Whatever is kept of it is not copied.
        self.open = nil
        try open.add(portion)
        received += count
        guard open.bytes < open.total else {
            guard open.endsFrame else { throw .malformed(reason: "a message that ends within a frame") }
            return open.frames
        }
        self.open = open
        return nil
    }

    package mutating func cut(_ number: Int) throws(WireError) {
        guard open != nil, number == message else { throw Self.outOfTurn }
        open = nil
    }

    /// Lets the other side go on.
    package mutating func allow() -> PortionCredit {
        allowed = received + PortionLimits.mostWindow
        return credit
    }

    /// Says only what has come.
    package var credit: PortionCredit { PortionCredit(received: received, upTo: allowed) }

    private static let outOfTurn = WireError.malformed(reason: "a portion out of turn")
}

extension IncomingPortions.Open {
    fileprivate mutating func add(_ portion: Portion) throws(WireError) {
        var pieces = portion.frames[...]
        if !endsFrame, let piece = pieces.popFirst() {
            let last = frames.count - 1
            try Self.check("frame", frames[last].count + piece.count, WireLimits.frame)
            frames[last] += piece
        }
        try Self.check("frames", frames.count + pieces.count, WireLimits.frames)
        frames += pieces
        bytes += portion.bytes
        endsFrame = portion.endsFrame
    }

    private static func check(_ what: String, _ size: Int, _ limit: Int) throws(WireError) {
        guard size <= limit else { throw .tooLarge(what: what, size: size, limit: limit) }
    }
}
