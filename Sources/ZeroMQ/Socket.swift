import CZeroMQ

/// A ZeroMQ socket. Belongs to the thread that made it: it is not `Sendable`, as libzmq demands.
public final class Socket {
    public enum Kind: Sendable {
        case router, dealer, pair

        var code: Int32 {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .pair: ZMQ_PAIR
            }
        }
    }

    /// What arrived, and from whom.
    public struct Message: Sendable {
        public var frames: [[UInt8]]
        /// The name that the authenticator gave to the sender's key; nil on connections without keys.
        public var user: String?
        /// The sender's key, Z85; nil on connections without keys.
        public var key: String?
        /// The sender's IP address, where it has one.
        public var address: String?
    }

    /// Names of properties of a connection.
    enum Property {
        static let identity = "Identity"
        static let key = "X-Key"
        static let user = "User-Id"
        static let address = "Peer-Address"
    }

    public let kind: Kind
    let handle: UnsafeMutableRawPointer
    let context: Context
    /// Keeps a server's authenticator alive for as long as the socket accepts connections.
    private let authenticator: Authenticator?
    /// Watches a server's connections, where that was asked for.
    public private(set) var connections: ConnectionGuard?
    /// Counts a client's bytes, where that was asked for.
    var meter: ConnectionMeter?
    /// Of a client: the key that its server has to have; nil: it is asked for none.
    public let expectedServer: CurvePublicKey?
    /// Bytes that CURVE adds to a frame.
    private let envelope: Int

    public init(
        _ context: Context, _ kind: Kind, options: SocketOptions = SocketOptions()
    ) throws(ZeroMQError) {
        guard let handle = zmq_socket(context.handle, kind.code) else { throw .last("zmq_socket") }
        self.context = context
        self.kind = kind
        self.handle = handle
        envelope = options.envelope
        expectedServer = options.expectedServer
        if case .server(_, let authenticator) = options.curve {
            self.authenticator = authenticator
        } else {
            authenticator = options.admission
        }
        try apply(options)
        if let limits = options.connections { connections = try watch(options, limits) }
    }

    deinit {
        // Nobody reads what the monitor says from here on; libzmq's own thread would wait for a reader for ever.
        if connections != nil || meter != nil { zmq_socket_monitor(handle, nil, 0) }
        zmq_close(handle)
    }

    /// Listens.
    ///
    /// - Parameter endpoint: `tcp://127.0.0.1:*` picks a free port.
    /// - Returns: the endpoint as bound, with its port.
    @discardableResult
    public func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        try choose(for: endpoint, .listening)
        guard zmq_bind(handle, endpoint) == 0 else { throw .last("zmq_bind", endpoint: endpoint) }
        var text = [UInt8](repeating: 0, count: 1024)
        var size = text.count
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else { throw .last("ZMQ_LAST_ENDPOINT") }
        return String(decoding: text.prefix(max(0, size - 1)), as: UTF8.self)
    }

    /// Connects in the background and reconnects for as long as the socket lives.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        try choose(for: endpoint, .connecting)
        guard zmq_connect(handle, endpoint) == 0 else { throw .last("zmq_connect", endpoint: endpoint) }
    }

    /// IPv6 where the endpoint has it. What is no endpoint of a network is libzmq's to judge: sockets of one process connect
    /// by names of their own.
    private func choose(for text: String, _ use: Endpoint.Use) throws(ZeroMQError) {
        guard text.hasPrefix("tcp:") else { return }
        try setIPv6(try Endpoint(text, for: use).needsIPv6)
    }

    /// Queues one multipart message, whole or not at all; never waits.
    ///
    /// - `frames`: at least one; for a ROUTER socket the first is the peer's identity.
    /// - Throws: `wouldBlock` at the high-water mark, `unreachable` when a ROUTER socket knows no such peer.
    public func send(_ frames: [[UInt8]], isReply: Bool = false) throws(ZeroMQError) {
        for (index, frame) in frames.enumerated() {
            let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
            while frame.withUnsafeBytes({ zmq_send(handle, $0.baseAddress, $0.count, flags) }) < 0 {
                let error = ZeroMQError.last("zmq_send")
                guard error == .interrupted else { throw error }
            }
        }
        if let connections, let peer = frames.first {
            connections.gave(
                frames.dropFirst().reduce(0) { $0 + wireBytes($1.count) }, to: peer, isReply: isReply)
        }
    }

    /// Bytes of a frame as it travels: a head of two bytes or, from 256 on, of nine.
    private func wireBytes(_ count: Int) -> UInt64 {
        let sealed = UInt64(count) + UInt64(envelope)
        return sealed + (sealed < 256 ? 2 : 9)
    }

    /// The next multipart message; never waits.
    ///
    /// - Parameters:
    ///   - maximumFrames: messages of more frames are dropped.
    ///   - maximumBytes: messages of more bytes in all are dropped.
    /// - Returns: nil when none is there.
    /// - Throws: `messageTooLarge` once for every message that was dropped; `unwelcome` for one whose sender chose its own
    ///   identity, where a guard watches. Both lose their connection to the guard.
    public func receive(maximumFrames: Int = .max, maximumBytes: Int = .max) throws(ZeroMQError) -> [[UInt8]]? {
        try receiveAuthenticated(maximumFrames: maximumFrames, maximumBytes: maximumBytes)?.frames
    }

    /// The same, with the sender.
    public func receiveAuthenticated(
        maximumFrames: Int = .max, maximumBytes: Int = .max
    ) throws(ZeroMQError) -> Message? {
        var frames: [[UInt8]] = []
        var bytes = 0
        var count = 0
        var tooLarge = false
        var sender: [UInt8] = []
        var taken: UInt64 = 0
        var message = zmq_msg_t()
        zmq_msg_init(&message)
        defer { zmq_msg_close(&message) }
        while true {
            while zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) < 0 {
                switch ZeroMQError.last("zmq_msg_recv") {
                case .interrupted: continue
                // The parts of one message arrive together, so this is the gap between two.
                case .wouldBlock where count == 0: return nil
                case let error: throw error
                }
            }
            let size = zmq_msg_size(&message)
            count += 1
            bytes += size
            if connections != nil {
                if count == 1 {
                    sender = Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: size))
                } else {
                    taken += wireBytes(size)
                }
            }
            if count > maximumFrames || bytes > maximumBytes {
                tooLarge = true
                frames = []
            }
            if !tooLarge {
                frames.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: size)))
            }
            if zmq_msg_more(&message) == 0 { break }
        }
        if let connections {
            let descriptor = zmq_msg_get(&message, ZMQ_SRCFD)
            // Without keys nothing is assigned, and the property is what the peer claims.
            let assigned = envelope > 0 ? property(Property.identity, of: &message) : nil
            if descriptor >= 0, !connections.took(taken, from: sender, named: assigned, on: descriptor) {
                connections.close(sender, because: .identity)
                throw .unwelcome
            }
            if tooLarge { connections.close(sender, because: .tooLarge) }
        }
        if tooLarge { throw .messageTooLarge }
        return Message(
            frames: frames, user: property(Property.user, of: &message), key: property(Property.key, of: &message),
            address: property(Property.address, of: &message).map(plainAddress))
    }

    /// nil for an empty one too.
    private func property(_ name: String, of message: inout zmq_msg_t) -> String? {
        zmq_msg_gets(&message, name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
