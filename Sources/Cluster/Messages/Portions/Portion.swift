/// A piece of a long message's frames.
package struct Portion: Hashable, Sendable {
    /// Counts the long messages of a connection in one direction, from 1.
    package var message: Int
    /// Bytes of the message before this piece.
    package var offset: Int
    /// Bytes of the whole message.
    package var total: Int
    /// The first may go on with the frame that the portion before it left open.
    package var frames: [[UInt8]]
    /// Whether the last of `frames` is whole with this.
    package var endsFrame: Bool

    package init(message: Int, offset: Int, total: Int, frames: [[UInt8]], endsFrame: Bool) {
        self.message = message
        self.offset = offset
        self.total = total
        self.frames = frames
        self.endsFrame = endsFrame
    }

    package var bytes: Int { frames.reduce(0) { $0 + $1.count } }
}

/// What one side has read of the other's portions over a connection, all messages together, and up to where it may go on.
package struct PortionCredit: Codable, Hashable, Sendable {
    package var received: Int
    package var upTo: Int

    package init(received: Int, upTo: Int) {
        self.received = received
        self.upTo = upTo
    }
}

/// What the two sides say to each other below the messages.
package enum PortionMessage: Hashable, Sendable {
    case portion(Portion)
    case credit(PortionCredit)
    /// The rest of the long message under way does not come.
    case cut(message: Int)

    private struct PortionHeader: Codable {
        var message: Int
        var offset: Int
        var total: Int
        var endsFrame: Bool
    }
    private struct CutHeader: Codable { var message: Int }

    private enum Kind: String, CaseIterable { case portion, credit, cut }
    private static let kinds = Kind.allCases.map { Array($0.rawValue.utf8) }

    /// Whether frames belong to this layer.
    package static func isOne(_ frames: [[UInt8]]) -> Bool { frames.count > 2 && kinds.contains(frames[2]) }

    package func frames() throws(WireError) -> [[UInt8]] {
        switch self {
        case .portion(let portion):
            let header = PortionHeader(
                message: portion.message, offset: portion.offset, total: portion.total, endsFrame: portion.endsFrame)
            return try Envelope(Kind.portion.rawValue, header, payloads: portion.frames).frames()
        case .credit(let credit): return try Envelope(Kind.credit.rawValue, credit).frames()
        case .cut(let message): return try Envelope(Kind.cut.rawValue, CutHeader(message: message)).frames()
        }
    }

    package init(frames: [[UInt8]]) throws(WireError) {
        let envelope = try Envelope(frames: frames)
        switch Kind(rawValue: envelope.kind) {
        case .portion:
            let header = try envelope.decode(PortionHeader.self, payloads: envelope.payloads.count)
            self = .portion(
                Portion(
                    message: header.message, offset: header.offset, total: header.total, frames: envelope.payloads,
                    endsFrame: header.endsFrame))
        case .credit: self = .credit(try envelope.decode(PortionCredit.self))
        case .cut: self = .cut(message: try envelope.decode(CutHeader.self).message)
        case nil: throw .unknownKind(envelope.kind)
        }
    }
}
