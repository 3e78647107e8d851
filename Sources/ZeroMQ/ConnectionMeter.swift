import CZeroMQ
import Foundation

/// Watches a client's connections: how far they have come, and, byte by byte, what comes in over them. A large message is seen
/// while it is on its way, of which libzmq tells nothing before its end.
struct ConnectionMeter {
    /// libzmq's number for what a server's list refuses (RFC 27).
    private static let refused: Int32 = 400

    let monitor: Socket
    private var descriptor: Int32?
    /// Of connections before this one.
    private var earlier: UInt64 = 0
    private var current: UInt64 = 0
    private var attempt = ConnectionAttempt.none

    init(_ socket: Socket) throws(ZeroMQError) {
        let endpoint = "inproc://meter-\(UUID().uuidString)"
        let events =
            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
            | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        guard zmq_socket_monitor(socket.handle, endpoint, events) == 0 else { throw .last("zmq_socket_monitor") }
        monitor = try Socket(socket.context, .pair)
        try monitor.connect(endpoint)
    }

    /// How far the last try has come.
    mutating func latest() -> ConnectionAttempt {
        takeEvents()
        return attempt
    }

    /// Grows only. What is no TCP connection is not measured.
    mutating func received() -> UInt64 {
        takeEvents()
        if let descriptor, let traffic = TCPTraffic(of: descriptor) { current = max(current, traffic.received) }
        return earlier + current
    }

    private mutating func takeEvents() {
        while let event = try? monitor.receive().flatMap({ MonitorEvent($0) }) {
            switch event.kind {
            case ZMQ_EVENT_CONNECTED:
                begin(with: event.value)
                // What is tried again and again is told by how it ends.
                if attempt != .failed { attempt = .connected }
            case ZMQ_EVENT_DISCONNECTED: begin(with: nil)
            case ZMQ_EVENT_CLOSED:
                begin(with: nil)
                attempt = .none
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: attempt = .succeeded
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: attempt = event.value == Self.refused ? .refused : .failed
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: attempt = .failed
            default: break
            }
        }
    }

    private mutating func begin(with next: Int32?) {
        earlier += current
        current = 0
        descriptor = next
    }
}

extension Socket {
    /// Begins to watch a client's connections; before it connects. `receivedBytes` or `attempt` is to be asked every now and then.
    public func measure() throws(ZeroMQError) { meter = try ConnectionMeter(self) }

    /// Bytes that have come over the connections of a client's socket, also of messages that have not come to their end.
    public var receivedBytes: UInt64 { meter?.received() ?? 0 }

    /// How far a client's socket has come; `none` where nothing is measured.
    public var attempt: ConnectionAttempt { meter?.latest() ?? .none }

    /// Wakes whoever waits when that may have changed.
    public var attempts: Poller.Source? { meter.map { .socket($0.monitor) } }
}
