extension ClientRequest {
    /// - Parameter id: chosen by the client, 1 to 128 bytes.
    /// - Returns: frames for a DEALER socket.
    public func frames(id: String) throws(WireError) -> [[UInt8]] {
        let payload = try WireJSON.encode(self, kind: "request")
        try Self.checkSize(payload)
        return try Envelope(kind: "request", id: id, payloads: [payload]).frames()
    }

    static func checkSize(_ request: [UInt8]) throws(WireError) {
        guard request.count <= WireLimits.request else {
            throw .tooLarge(what: "request", size: request.count, limit: WireLimits.request)
        }
    }
}

/// The coordinator's answer to one request: an error, or a JSON value with payloads (an exported adapter).
public struct ClientReply: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        /// The bytes of a JSON value.
        case success(json: [UInt8])
        case failure(ClientError)
    }

    public var outcome: Outcome
    public var payloads: [[UInt8]]
    /// The coordinator that answers.
    public var origin: KnownGeneration?

    public init(outcome: Outcome, payloads: [[UInt8]] = []) {
        self.outcome = outcome
        self.payloads = payloads
    }

    public init(_ value: some Encodable, payloads: [[UInt8]] = []) throws(WireError) {
        self.init(outcome: .success(json: try WireJSON.encode(value, kind: "reply")), payloads: payloads)
    }

    public init(_ error: ClientError) {
        self.init(outcome: .failure(error))
    }

    /// Whether the coordinator says of itself that another one was started after it.
    public var isSuperseded: Bool {
        if case .failure(let error) = outcome { error.code == .superseded } else { false }
    }

    /// The value of a success.
    ///
    /// - Throws: the coordinator's `ClientError`, or a `WireError` when the reply does not hold such a value.
    public func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
        switch outcome {
        case .success(let json): return try WireJSON.decode(type, from: json, kind: "reply")
        case .failure(let error): throw error
        }
    }

    private struct Header: Codable {
        var error: ClientError?
        var origin: KnownGeneration?
    }

    /// - Returns: frames for a ROUTER socket, to be sent after the routing identity.
    public func frames(id: String) throws(WireError) -> [[UInt8]] {
        switch outcome {
        case .success(let json):
            return try Envelope("reply", id: id, Header(error: nil, origin: origin), payloads: [json] + payloads)
                .frames()
        case .failure(let error):
            let error = ClientError(code: error.code, message: String(error.message.prefix(WireLimits.errorText)))
            return try Envelope("reply", id: id, Header(error: error, origin: origin), payloads: [[]] + payloads)
                .frames()
        }
    }

    /// The same for a request whose id is none: it is sent back as it came.
    package func frames(echoing id: [UInt8]) throws(WireError) -> [[UInt8]] {
        var frames = try frames(id: "")
        frames[3] = id
        return frames
    }

    /// - Parameter frames: as a DEALER socket gives them.
    /// - Returns: the reply and the id of the request it answers.
    public static func decode(frames: [[UInt8]]) throws(WireError) -> (id: String, reply: ClientReply) {
        let envelope = try Envelope(frames: frames)
        guard envelope.kind == "reply" else { throw .unknownKind(envelope.kind) }
        guard let json = envelope.payloads.first else {
            throw .invalidContent(kind: "reply", reason: "neither error nor value")
        }
        let header = try envelope.decode(Header.self, payloads: envelope.payloads.count)
        let payloads = Array(envelope.payloads.dropFirst())
        var reply = ClientReply(
            outcome: header.error.map { .failure($0) } ?? .success(json: json), payloads: payloads)
        reply.origin = header.origin
        return (envelope.id, reply)
    }
}
