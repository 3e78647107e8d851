/// Why a gateway cannot start.
public enum GatewayError: Error, Hashable, Sendable, CustomStringConvertible {
    case address(String)
    case tokens(String)
    /// The certificate or its key.
    case certificate(String)
    /// What is asked for would let anybody in.
    case unprotected(String)
    /// Nothing can listen there.
    case listening(String)

    public var description: String {
        switch self {
        case .address(let reason), .tokens(let reason), .certificate(let reason), .unprotected(let reason),
            .listening(let reason):
            reason
        }
    }
}
