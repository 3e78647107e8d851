import CZeroMQ
import Foundation

/// What libzmq, or the layer over it, can refuse.
public enum ZeroMQError: Error, Hashable, Sendable, CustomStringConvertible {
    /// ETERM: the context was shut down; the owner of the socket should close it and leave.
    case contextTerminated
    /// EAGAIN: a high-water mark is reached, or nothing can be sent now.
    case wouldBlock
    /// EHOSTUNREACH: a ROUTER socket has no peer of that identity.
    case unreachable
    /// EINTR: a signal came.
    case interrupted
    /// EADDRINUSE.
    case addressInUse(endpoint: String)
    /// EINVAL, EPROTONOSUPPORT, ENODEV or EADDRNOTAVAIL for an endpoint.
    case invalidEndpoint(String)
    /// What is written is no endpoint, whatever this machine has.
    case malformedEndpoint(String, reason: String)
    /// A multipart message above the receiver's limits; it was read to its end and dropped.
    case messageTooLarge
    /// A message whose sender chose its own identity; it was dropped.
    case unwelcome
    /// A key, or a file that should hold one, is not usable.
    case invalidKey(reason: String)
    /// Any other failure of a call.
    case failed(operation: String, code: Int32, reason: String)

    public var description: String {
        switch self {
        case .contextTerminated: "the messaging context was shut down"
        case .wouldBlock: "the message cannot be taken now"
        case .unreachable: "no such peer is connected"
        case .interrupted: "interrupted by a signal"
        case .addressInUse(let endpoint): "\(endpoint) is already in use"
        case .malformedEndpoint(let endpoint, let reason):
            "\(endpoint.isEmpty ? "nothing" : endpoint) is no endpoint: \(reason)"
        case .invalidEndpoint(let endpoint): "\(endpoint) is not an endpoint that can be used here"
        case .messageTooLarge: "a message above the limits was dropped"
        case .unwelcome: "a message of a peer that chose its own identity was dropped"
        case .invalidKey(let reason): reason
        case .failed(let operation, _, let reason): "\(operation): \(reason)"
        }
    }

    /// The error that the last failed call on this thread left.
    static func last(_ operation: String, endpoint: String? = nil) -> ZeroMQError {
        let code = zmq_errno()
        // libzmq's own numbers are macros with arithmetic, which Swift does not import.
        let ownBase: Int32 = 156_384_712
        switch code {
        case ownBase + 53: return .contextTerminated
        case EAGAIN: return .wouldBlock
        case EHOSTUNREACH: return .unreachable
        case EINTR: return .interrupted
        case EADDRINUSE: return .addressInUse(endpoint: endpoint ?? operation)
        case EINVAL, EPROTONOSUPPORT, ENODEV, EADDRNOTAVAIL:
            if let endpoint { return .invalidEndpoint(endpoint) }
        default: break
        }
        return .failed(operation: operation, code: code, reason: String(cString: zmq_strerror(code)))
    }
}
