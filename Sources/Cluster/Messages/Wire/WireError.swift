/// Why frames are no message.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not even the outer frames are there.
    case malformed(reason: String)
    case unsupportedVersion(UInt8)
    case unknownKind(String)
    case tooLarge(what: String, size: Int, limit: Int)
    /// A header or payload that does not fit its kind.
    case invalidContent(kind: String, reason: String)

    public var description: String {
        switch self {
        case .malformed(let reason): "no message of this protocol: \(reason)"
        case .unsupportedVersion(let version):
            "protocol version \(version), this side speaks \(WireLimits.version)"
        case .unknownKind(let kind): "unknown kind of message \(kind)"
        case .tooLarge(let what, let size, let limit): "\(what): \(size) is above the limit of \(limit)"
        case .invalidContent(let kind, let reason): "\(kind): \(reason)"
        }
    }
}
