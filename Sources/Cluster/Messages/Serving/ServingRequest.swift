import Recommendation

/// What a gateway that computes answers itself asks of the coordinator.
public enum ServingRequest: Codable, Sendable, Equatable {
    /// What its model must be.
    case model
    /// To answer for a while longer; says at once which revocations were obeyed.
    case lease(LeaseRequest)
    /// It answers no more.
    case endLease
    /// What a question is computed from (`QuestionMaterial`).
    case question(ClientRequest.QueryRequest)
    /// The rows that adaptive weights rest on; the reply's payload is one of `AttentionTableBytes`.
    case attention(digest: String)
    /// Reply payload: the adapter's safetensors bytes.
    case adapter(name: String)
}

/// Asks for a lease: the right to answer for a while.
public struct LeaseRequest: Codable, Hashable, Sendable {
    /// Grows with every request of one connection: of two that overtook each other the earlier is not looked at.
    public var number: UInt64
    /// The revocations that were obeyed, up to this one, of the coordinator's run; nil: whoever asks holds nothing that an answer
    /// could be made from.
    public var obeyed: Obeyed?

    public struct Obeyed: Codable, Hashable, Sendable {
        public var run: String
        public var version: UInt64

        public init(run: String, version: UInt64) {
            self.run = run
            self.version = version
        }
    }

    public init(number: UInt64, obeyed: Obeyed? = nil) {
        self.number = number
        self.obeyed = obeyed
    }
}

/// A lease, as it was granted.
public struct LeaseGrant: Codable, Hashable, Sendable {
    /// Of the request that it answers.
    public var number: UInt64
    /// Names the run of the coordinator that grants it: another run knows nothing of its revocations.
    public var run: String
    /// The last revocation before it.
    public var version: UInt64
    /// How long it holds, by the gateway's clock from when the request was sent.
    public var milliseconds: Int64

    public init(number: UInt64, run: String, version: UInt64, milliseconds: Int64) {
        self.number = number
        self.run = run
        self.version = version
        self.milliseconds = milliseconds
    }
}

/// What no answer may rest on any more, told to everybody with a lease.
public struct Revocation: Codable, Hashable, Sendable {
    public var run: String
    /// One more than that of the revocation before it.
    public var version: UInt64
    public var inputs: ForgottenInputs

    public init(run: String, version: UInt64, inputs: ForgottenInputs) {
        self.run = run
        self.version = version
        self.inputs = inputs
    }

    static let kind = "revoked"

    /// - Returns: frames for a ROUTER socket, to be sent after the routing identity.
    public func frames() throws(WireError) -> [[UInt8]] {
        try Envelope(kind: Self.kind, payloads: [WireJSON.encode(self, kind: Self.kind)]).frames()
    }

    /// - Throws: `WireError`, also for the revocation of more than a forget request can name.
    init(_ envelope: Envelope) throws(WireError) {
        guard let payload = envelope.payloads.first, envelope.payloads.count == 1 else {
            throw .invalidContent(kind: Self.kind, reason: "it has \(envelope.payloads.count) payloads")
        }
        self = try WireJSON.decode(Revocation.self, from: payload, kind: Self.kind, values: WireLimits.requestValues)
    }
}
