import Foundation
import ZeroMQ

/// A server without keys whose connections are watched.
struct GuardedServer {
    let socket: Socket
    let endpoint: String
    let closed: Mailbox<ConnectionClosing>
    let context: Context

    init(
        _ limits: ConnectionLimits, keys: CurveKeyPair? = nil, allowing clients: Set<CurvePublicKey> = [],
        endpoint: String = "tcp://127.0.0.1:*"
    ) throws {
        context = try Context()
        let closed = try Mailbox<ConnectionClosing>()
        self.closed = closed
        var options = SocketOptions()
        options.connections = limits
        options.whenClosed = { closed.post($1) }
        if let keys {
            options.curve = .server(keys, try Authenticator(context, .keys(clients)))
        } else {
            options.admission = try Authenticator(context, .anybody())
        }
        socket = try Socket(context, .router, options: options)
        self.endpoint = try socket.bind(endpoint)
    }

    static func limits(_ change: (inout ConnectionLimits) -> Void) -> ConnectionLimits {
        var limits = ConnectionLimits(connections: 64)
        limits.interval = .milliseconds(10)
        change(&limits)
        return limits
    }
}
