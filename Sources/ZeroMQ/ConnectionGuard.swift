import CZeroMQ
import Foundation

/// Watches the connections of a server's socket and closes those that take more than they may.
///
/// libzmq bounds frames and whole messages, neither bytes nor connections. The guard hears of connections from the socket's
/// monitor and looks at what the kernel counts of them, on a thread of its own: also while the server computes. A connection
/// is closed by shutting its descriptor down, after which libzmq drops all that it kept for it. (If the descriptor belongs to
/// something else by then, that is another peer's connection, which will be made again, or no connection, which cannot be shut
/// down.) Of local connections (`ipc://`) the kernel counts no bytes that come in: who sends a message without an end there is
/// not found out. Whoever may write to the socket's file can do that, which is nobody else where the umask leaves nothing to
/// others; what such a peer leaves unread is known from its queue (`LocalQueue`).
public final class ConnectionGuard: Sendable {
    typealias Closed = @Sendable (_ address: String, _ reason: ConnectionClosing) -> Void

    private struct State {
        var table: ConnectionTable
        var numbers: PeerNumbers?
        /// The socket that listens.
        var listener: Int32?
        /// Held for moments in which there is no other descriptor.
        var reserve: Int32
        var lastTrim = ContinuousClock.now
        var mustTrim = false
    }

    private let limits: ConnectionLimits
    private let state: Locked<State>
    private let closed: Closed
    private let stop: Mailbox<Void>

    /// - `numbers`: an identity that libzmq made up on this socket.
    init(
        _ context: Context, monitor endpoint: String, limits: ConnectionLimits, numbers: [UInt8]?,
        closed: @escaping Closed, failed: @escaping @Sendable (ZeroMQError) -> Void
    ) throws(ZeroMQError) {
        self.limits = limits
        self.closed = closed
        state = Locked(
            State(
                table: ConnectionTable(limits), numbers: numbers.flatMap { PeerNumbers(first: $0) },
                reserve: open("/dev/null", O_RDONLY | O_CLOEXEC)))
        let stop = try Mailbox<Void>()
        self.stop = stop
        let started = try Mailbox<ZeroMQError?>()
        let thread = Thread { [weak self] in
            do throws(ZeroMQError) {
                let monitor = try Socket(context, .pair)
                try monitor.connect(endpoint)
                let poller = Poller([.socket(monitor), .descriptor(stop.descriptor)])
                started.post(nil)
                while let wait = self?.pause {
                    guard try !poller.wait(timeout: wait)[1] else { return }
                    while let event = try monitor.receive() { self?.take(event) }
                    self?.look()
                }
            } catch {
                started.post(error)
                // Nobody watches any more: the server must not go on as if somebody did.
                failed(error)
            }
        }
        thread.name = "connections"
        thread.start()
        if let error = started.take().first ?? nil { throw error }
    }

    deinit {
        stop.post(())
        let reserve = state.withLock { $0.reserve }
        if reserve >= 0 { Foundation.close(reserve) }
    }

    // MARK: the socket tells

    /// - Returns: whether the message may be taken: its sender did not choose the identity that it is routed by.
    func took(_ bytes: UInt64, from identity: [UInt8], named property: String?, on descriptor: Int32) -> Bool {
        state.withLock { state in
            let isFirst = state.table.took(bytes, from: identity, on: descriptor, at: .now)
            guard isFirst, let numbers = state.numbers else { return true }
            return property.map { Array($0.utf8) == identity } == true
                || numbers.isOne(identity, accepted: state.table.accepted)
        }
    }

    func gave(_ bytes: UInt64, to identity: [UInt8], isReply: Bool) {
        state.withLock { $0.table.gave(bytes, to: identity, isReply: isReply, at: .now) }
    }

    // MARK: the server asks

    /// Lets a peer that is known send larger messages than everybody.
    public func allow(unfinishedBytes: Int, of identity: [UInt8]) {
        state.withLock { $0.table.allow(unfinishedBytes: unfinishedBytes, of: identity) }
    }

    /// Lets whoever is known now send larger messages than everybody, and nobody else any more.
    public func allow(unfinishedBytes: Int, where isKnown: ([UInt8]) -> Bool) {
        state.withLock { $0.table.allow(unfinishedBytes: unfinishedBytes, where: isKnown) }
    }

    /// Whether the connection from which messages of this peer came is there still.
    public func isOpen(_ identity: [UInt8]) -> Bool {
        state.withLock { $0.table.descriptor(of: identity) != nil }
    }

    /// Bytes that have come from the peer, also of messages that have not come to their end. 0 where nothing is measured.
    public func received(from identity: [UInt8]) -> UInt64 {
        state.withLock { state in
            guard let descriptor = state.table.descriptor(of: identity) else { return 0 }
            Self.measure([descriptor], in: &state.table)
            return state.table.connections[descriptor]?.traffic.received ?? 0
        }
    }

    /// Bytes sent to the peer that it has not confirmed.
    public func unread(by identity: [UInt8]) -> Int {
        state.withLock { state in
            if let descriptor = state.table.descriptor(of: identity) { Self.measure([descriptor], in: &state.table) }
            return state.table.unread(by: identity)
        }
    }

    /// Whether all together have left more bytes unread: strangers, and others of what they asked for.
    public func isUnread(moreThan bytes: Int) -> Bool {
        state.withLock { state in
            guard state.table.unread > bytes else { return false }
            Self.measure(Array(state.table.connections.keys), in: &state.table)
            return state.table.unread > bytes
        }
    }

    public func close(_ identity: [UInt8], because reason: ConnectionClosing) {
        let gone = state.withLock { state -> String? in
            guard let descriptor = state.table.descriptor(of: identity) else { return nil }
            shutdown(descriptor, Int32(SHUT_RDWR))
            state.mustTrim = true
            return state.table.connections[descriptor]?.address
        }
        if let gone { closed(gone, reason) }
    }

    // MARK: the thread

    /// nil: until something happens.
    private var pause: Duration? {
        state.withLock { state in
            state.table.connections.isEmpty && !state.mustTrim ? .seconds(1) : limits.interval
        }
    }

    private func take(_ event: [[UInt8]]) {
        guard let event = MonitorEvent(event) else { return }
        state.withLock { state in
            switch event.kind {
            case ZMQ_EVENT_LISTENING:
                state.listener = event.value
                // Another thread accepts here too.
                _ = fcntl(event.value, F_SETFL, fcntl(event.value, F_GETFL) | O_NONBLOCK)
            case ZMQ_EVENT_ACCEPTED:
                let address = TCPTraffic.peerAddress(of: event.value) ?? ""
                state.table.accepted(event.value, from: address, at: .now)
            case ZMQ_EVENT_ACCEPT_FAILED: if event.value == EMFILE || event.value == ENFILE { turnAway(&state) }
            case ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CLOSED: state.table.ended(event.value)
            default: break
            }
        }
    }

    /// libzmq tries for ever to accept a connection for which there is no descriptor. Whoever waits is turned away.
    private func turnAway(_ state: inout State) {
        guard let listener = state.listener, state.reserve >= 0 else { return }
        Foundation.close(state.reserve)
        // libzmq may have been faster with the descriptor: then it has one connection less to accept.
        for _ in 0..<1024 {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            Foundation.close(connection)
        }
        state.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    private static func measure(_ descriptors: [Int32], in table: inout ConnectionTable) {
        for descriptor in descriptors {
            if let traffic = TCPTraffic(of: descriptor) {
                table.measured(traffic, of: descriptor, at: .now)
            } else if let queue = LocalQueue(of: descriptor) {
                table.measured(queue, of: descriptor, at: .now)
            }
        }
    }

    private func look() {
        let now = ContinuousClock.now
        let (gone, trims) = state.withLock { state in
            Self.measure(Array(state.table.connections.keys), in: &state.table)
            let gone = state.table.due(at: now)
            for (descriptor, _, _) in gone { shutdown(descriptor, Int32(SHUT_RDWR)) }
            if !gone.isEmpty {
                state.mustTrim = true
                state.lastTrim = now
            }
            let trims = state.mustTrim && now - state.lastTrim > .seconds(1)
            if trims { state.mustTrim = false }
            return (gone, trims)
        }
        for (_, address, reason) in gone { closed(address, reason) }
        // What libzmq has freed by now would otherwise stay with the allocator.
        if trims { malloc_trim(0) }
    }
}

extension Socket {
    /// Makes the socket's guard, before it listens.
    func watch(_ options: SocketOptions, _ limits: ConnectionLimits) throws(ZeroMQError) -> ConnectionGuard {
        let monitor = "inproc://monitor-\(UUID().uuidString)"
        let events =
            ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED
            | ZMQ_EVENT_CLOSED
        let numbers = try firstNumber()
        guard zmq_socket_monitor(handle, monitor, events) == 0 else { throw .last("zmq_socket_monitor") }
        return try ConnectionGuard(
            context, monitor: monitor, limits: limits, numbers: numbers, closed: options.whenClosed,
            failed: options.whenUnwatched)
    }

    /// What libzmq calls the first peer: one in this process.
    private func firstNumber() throws(ZeroMQError) -> [UInt8]? {
        let endpoint = "inproc://first-\(UUID().uuidString)"
        try bind(endpoint)
        let peer = try Socket(context, .dealer)
        try peer.connect(endpoint)
        try peer.send([[]])
        _ = try Poller([.socket(self)]).wait(timeout: .seconds(5))
        defer { zmq_unbind(handle, endpoint) }
        return try receive()?.first
    }
}

/// What a socket's monitor says: the kind (16 bits) and the value (32 bits), in this machine's order of bytes; the endpoint.
struct MonitorEvent {
    var kind: Int32
    var value: Int32

    init?(_ frames: [[UInt8]]) {
        guard let first = frames.first, first.count == 6 else { return nil }
        kind = Int32(first.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) })
        value = first.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 2, as: Int32.self) }
    }
}
