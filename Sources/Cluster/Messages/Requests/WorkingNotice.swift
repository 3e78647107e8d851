/// What the coordinator tells whoever waits for an answer, about once a second: it works on it, and there is no need to ask
/// again.
public struct WorkingNotice: Codable, Sendable, Equatable {
    /// Questions that wait or are computed beside it, while it is not begun.
    public var ahead: Int
    /// Prompts that were computed, and that are to be. Zero of zero: not known.
    public var done: Int
    public var of: Int

    public init(ahead: Int = 0, done: Int = 0, of: Int = 0) {
        self.ahead = ahead
        self.done = done
        self.of = of
    }

    static let kind = "working"

    /// - Returns: frames for a ROUTER socket, to be sent after the routing identity.
    public func frames(id: String) throws(WireError) -> [[UInt8]] {
        try Envelope(Self.kind, id: id, self).frames()
    }
}

/// What a client gets in return for a request.
public enum ClientMessage: Sendable, Equatable {
    case reply(ClientReply)
    case working(WorkingNotice)
    /// To a gateway with a lease; about no request.
    case revoked(Revocation)

    /// - Parameter frames: as a DEALER socket gives them.
    /// - Returns: the message and the id of the request that it is about.
    public static func decode(frames: [[UInt8]]) throws(WireError) -> (id: String, message: ClientMessage) {
        let envelope = try Envelope(frames: frames)
        if envelope.kind == Revocation.kind { return ("", .revoked(try Revocation(envelope))) }
        guard envelope.kind == WorkingNotice.kind else {
            let (id, reply) = try ClientReply.decode(frames: frames)
            return (id, .reply(reply))
        }
        let notice = try envelope.decode(WorkingNotice.self, payloads: 0)
        let numbers = WireNumbers(kind: envelope.kind)
        for number in [notice.ahead, notice.done, notice.of] {
            try numbers.check(number, WireLimits.top.widened, "count")
        }
        return (envelope.id, .working(notice))
    }
}

extension ClosedRange<Int> {
    /// With zero.
    fileprivate var widened: ClosedRange<Int> { 0...upperBound }
}
