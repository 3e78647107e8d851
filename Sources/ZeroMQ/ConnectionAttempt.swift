/// How far a client has come with its server, as far as that is known.
public enum ConnectionAttempt: Hashable, Sendable {
    /// Nothing took a connection.
    case none
    /// Something did, and the handshake is not over.
    case connected
    /// Something did, and no handshake came about: it has other keys, or asks for none, or is something else.
    case failed
    /// The server is there and has refused this client's key. libzmq does not try again: it takes another socket.
    case refused
    /// Both sides have shown who they are.
    case succeeded

    /// Why nothing comes from there, in words that go on after "no answer from …;".
    ///
    /// Names are resolved for this.
    /// - `keys`: this side's, and the one that the server is expected to have; nil: none.
    public func cause(endpoint: String, keys: (own: CurvePublicKey, server: CurvePublicKey)?) -> String {
        switch self {
        case .none:
            let unresolved = try? Endpoint(endpoint, for: .connecting).unresolved
            return unresolved?.reason ?? "nothing takes a connection there: is it running?"
        case .connected: return "something took the connection and says nothing: is it a coordinator?"
        case .failed:
            guard let keys else {
                return
                    "something listens there and does not talk without keys: name yours; on loopback it may be another "
                    + "user's coordinator, which answers that user only"
            }
            return
                "something listens there and does not know how to answer these keys; tried the own key \(keys.own), and that "
                + "the coordinator's is \(keys.server)"
        case .refused:
            return keys.map { "it is there and refused this key, \($0.own)" }
                ?? "it is there and refused this connection"
        case .succeeded: return "it is there and says nothing: is it busy, or stopped?"
        }
    }
}
