import CZeroMQ
import Foundation

/// Counts what comes in over a client's connection, byte by byte: a large message is seen while it is on its way, of which
/// libzmq tells nothing before its end.
struct ConnectionMeter {
    private let monitor: Socket
    private var descriptor: Int32?
    /// Of connections before this one.
    private var earlier: UInt64 = 0
    private var current: UInt64 = 0

    init(_ socket: Socket) throws(ZeroMQError) {
        let endpoint = "inproc://meter-\(UUID().uuidString)"
        let events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED
        guard zmq_socket_monitor(socket.handle, endpoint, events) == 0 else { throw .last("zmq_socket_monitor") }
        monitor = try Socket(socket.context, .pair)
        try monitor.connect(endpoint)
    }

    /// Grows only. What is no TCP connection is not measured.
    mutating func received() -> UInt64 {
        while let event = try? monitor.receive().flatMap({ MonitorEvent($0) }) {
            earlier += current
            current = 0
            descriptor = event.kind == ZMQ_EVENT_CONNECTED ? event.value : nil
        }
        if let descriptor, let traffic = TCPTraffic(of: descriptor) { current = max(current, traffic.received) }
        return earlier + current
    }
}

extension Socket {
    /// Begins to count the bytes that come in; before it connects. `receivedBytes` is to be asked every now and then.
    public func measure() throws(ZeroMQError) { meter = try ConnectionMeter(self) }

    /// Bytes that have come over the connections of a client's socket, also of messages that have not come to their end.
    public var receivedBytes: UInt64 { meter?.received() ?? 0 }
}
