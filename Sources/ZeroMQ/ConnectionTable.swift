/// A server's connections, by descriptor: what they sent and were sent, and which of them must go.
///
/// libzmq hands a multipart message over when its last frame has come and keeps the others until then, whatever the
/// high-water marks say: those count whole messages. So what a peer has sent without an end is only seen as the difference
/// between what TCP has received and what was taken, and what it leaves unread as that between what was sent and what TCP
/// has had acknowledged.
package struct ConnectionTable: Sendable {
    package typealias Instant = ContinuousClock.Instant

    struct Connection: Sendable {
        /// The peer's IP address.
        var address: String
        var since: Instant
        var identity: [UInt8]?
        /// Bytes that it may have sent of messages that were not taken.
        var unfinishedBytes: Int
        /// Bytes on the wire of messages that were taken from it, and given to libzmq for it.
        var taken: UInt64 = 0
        var sent: UInt64 = 0
        /// Of what it has not read: at most so many bytes are replies that it asked for.
        var replies: UInt64 = 0
        /// As TCP counts.
        var traffic = TCPTraffic()
        var lastReceived: Instant
        var lastAcknowledged: Instant
        var lastMessage: Instant
        /// A message came before the event of its connection did.
        var isUnannounced = false
        var isClosing = false
        /// False until the kernel has counted something.
        var isMeasured = false
        /// Of a local connection: what was sent when it was looked at last, when that was, and what waited then.
        var localMark: (sent: UInt64, at: Instant, waiting: Int)?

        /// Handshakes, and heartbeats of ZeroMQ's own, are bytes too.
        func unfinished(at now: Instant) -> Int {
            let seconds = max(0, (now - since) / .seconds(1))
            let commands = 4096 + UInt64(min(seconds * 64, 1e15))
            let whole = taken + commands
            return traffic.received > whole ? Int(clamping: traffic.received - whole) : 0
        }

        var unread: Int { isMeasured && sent > traffic.acknowledged ? Int(clamping: sent - traffic.acknowledged) : 0 }
        var isNewcomer: Bool { identity == nil }
        /// Nobody allowed it more than everybody.
        var isStranger = true

        /// What counts against all: of a stranger everything that it leaves, of others what they asked for. What else is sent
        /// to them is bounded where that is done.
        var counted: Int { isStranger ? unread : min(Int(clamping: replies), unread) }

        mutating func gave(_ bytes: UInt64, isReply: Bool) {
            sent += bytes
            if isReply { replies += bytes }
        }

        /// The order of replies and the rest is not looked at: what it has read was of the rest first.
        mutating func noteReading() { replies = min(replies, UInt64(unread)) }
    }

    let limits: ConnectionLimits
    private(set) var connections: [Int32: Connection] = [:]
    private var descriptors: [[UInt8]: Int32] = [:]
    /// Connections so far.
    private(set) var accepted: UInt64 = 0

    /// Since when all together have had more unread than they may, and what each had read by then.
    private var overfull: (since: Instant, read: [Int32: UInt64])?

    package init(_ limits: ConnectionLimits) {
        self.limits = limits
    }

    // MARK: what happens

    package mutating func accepted(_ descriptor: Int32, from address: String, at now: Instant) {
        accepted += 1
        if connections[descriptor]?.isUnannounced == true {
            connections[descriptor]?.isUnannounced = false
            connections[descriptor]?.address = address
            return
        }
        add(descriptor, from: address, at: now)
    }

    mutating func ended(_ descriptor: Int32) {
        guard let connection = connections[descriptor], !connection.isUnannounced else { return }
        forget(descriptor)
    }

    /// - Returns: whether it is the connection's first message.
    package mutating func took(
        _ bytes: UInt64, from identity: [UInt8], on descriptor: Int32, at now: Instant
    ) -> Bool {
        let known = connections[descriptor]
        // The descriptor of a connection that ended may be another's before the event of either is read.
        if known == nil || (known?.identity ?? identity) != identity {
            add(descriptor, from: known?.address ?? "", at: now)
            connections[descriptor]?.isUnannounced = true
        }
        connections[descriptor]?.identity = identity
        connections[descriptor]?.taken += bytes
        connections[descriptor]?.lastMessage = now
        descriptors[identity] = descriptor
        return known?.identity != identity
    }

    /// - `isReply`: the peer asked for it.
    package mutating func gave(_ bytes: UInt64, to identity: [UInt8], isReply: Bool = false, at now: Instant) {
        guard let descriptor = descriptors[identity] else { return }
        // What waits for it waits from now on.
        if connections[descriptor]?.unread == 0 { connections[descriptor]?.lastAcknowledged = now }
        connections[descriptor]?.gave(bytes, isReply: isReply)
    }

    package mutating func allow(unfinishedBytes: Int, of identity: [UInt8]) {
        guard let descriptor = descriptors[identity] else { return }
        connections[descriptor]?.unfinishedBytes = unfinishedBytes
        connections[descriptor]?.isStranger = false
    }

    /// What one connection was allowed ends when its peer is known there no more (it is gone, or somewhere else), and begins
    /// again when it is: a peer that is known once and connects many times is a stranger at the others.
    package mutating func allow(unfinishedBytes: Int, where isKnown: ([UInt8]) -> Bool) {
        for (descriptor, connection) in connections {
            guard let identity = connection.identity else { continue }
            let isStranger = descriptors[identity] != descriptor || !isKnown(identity)
            guard isStranger != connection.isStranger else { continue }
            let mayBeUnfinished = isStranger ? limits.unfinishedBytes : unfinishedBytes
            connections[descriptor]?.isStranger = isStranger
            connections[descriptor]?.unfinishedBytes = mayBeUnfinished
        }
    }

    package mutating func measured(_ traffic: TCPTraffic, of descriptor: Int32, at now: Instant) {
        guard let before = connections[descriptor]?.traffic else { return }
        if traffic.received != before.received { connections[descriptor]?.lastReceived = now }
        if traffic.acknowledged != before.acknowledged { connections[descriptor]?.lastAcknowledged = now }
        connections[descriptor]?.traffic = traffic
        connections[descriptor]?.isMeasured = true
        connections[descriptor]?.noteReading()
    }

    /// The same of a local connection, of which only what waits is counted: where nothing does, what was sent by the time
    /// of an earlier look has been read.
    mutating func measured(_ queue: LocalQueue, of descriptor: Int32, at now: Instant) {
        guard var connection = connections[descriptor] else { return }
        let mark = connection.localMark ?? (sent: 0, at: connection.since, waiting: 0)
        // Until then libzmq's thread may not have handed on what was sent.
        guard now - mark.at >= limits.interval else { return }
        if queue.waiting == 0 {
            connection.traffic.acknowledged = mark.sent
            connection.lastAcknowledged = now
        } else if queue.waiting < mark.waiting {
            connection.lastAcknowledged = now
        }
        connection.localMark = (queue.waiting == 0 ? connection.sent : mark.sent, now, queue.waiting)
        connection.isMeasured = true
        connection.noteReading()
        connections[descriptor] = connection
    }

    // MARK: what is asked

    func descriptor(of identity: [UInt8]) -> Int32? { descriptors[identity] }

    func unread(by identity: [UInt8]) -> Int {
        descriptors[identity].flatMap { connections[$0]?.unread } ?? 0
    }

    /// What counts of all together.
    package var unread: Int { connections.values.reduce(0) { $0 + $1.counted } }

    /// Who must go, and why. Each is named once.
    package mutating func due(at now: Instant) -> [(descriptor: Int32, address: String, reason: ConnectionClosing)] {
        var going: [Int32: ConnectionClosing] = [:]
        let open = connections.filter { !$0.value.isClosing }
        for (descriptor, connection) in open {
            if let reason = objection(to: connection, at: now) { going[descriptor] = reason }
        }
        let unfinished = open.map { ($0.key, $0.value.unfinished(at: now)) }.sorted { ($1.1, $1.0) < ($0.1, $0.0) }
        let strangers = unfinished.filter { open[$0.0]?.isStranger == true }
        let bounds = [(strangers, limits.unfinishedBytesOfStrangers), (unfinished, limits.unfinishedBytesInAll)]
        for (some, limit) in bounds {
            var excess = some.reduce(0) { $0 + $1.1 } - limit
            for (descriptor, bytes) in some where excess > 0 {
                going[descriptor] = going[descriptor] ?? .unfinished
                excess -= bytes
            }
        }
        for descriptor in readersTooSlow(among: open, at: now) { going[descriptor] = going[descriptor] ?? .unread }
        let newcomers = open.filter(\.value.isNewcomer).sorted { ($0.value.since, $0.key) < ($1.value.since, $1.key) }
        for (descriptor, _) in newcomers.dropLast(limits.newcomers) { going[descriptor] = going[descriptor] ?? .silent }
        let quiet = open.filter { going[$0.key] == nil }.sorted {
            ($0.value.lastMessage, $0.key) < ($1.value.lastMessage, $1.key)
        }
        for (descriptor, _) in quiet.dropLast(limits.connections) { going[descriptor] = .crowded }
        for descriptor in going.keys { connections[descriptor]?.isClosing = true }
        return going.map { ($0.key, connections[$0.key]?.address ?? "", $0.value) }
    }

    /// Each may leave little, and read a little now and then: what nobody else may be sent for it is counted over all. Who reads
    /// a long reply at a good pace is none of them.
    private mutating func readersTooSlow(among open: [Int32: Connection], at now: Instant) -> [Int32] {
        let askers = open.filter { $0.value.counted > 0 }
        guard askers.values.reduce(0, { $0 + $1.counted }) > limits.unreadBytesInAll else {
            overfull = nil
            return []
        }
        let before = overfull
        if let before, now - before.since < limits.unreadPatience { return [] }
        overfull = (now, open.mapValues(\.traffic.acknowledged))
        guard let before else { return [] }
        let least = limits.slowestReading * ((now - before.since) / .seconds(1))
        let slow = askers.filter { descriptor, connection in
            let (read, mark) = (connection.traffic.acknowledged, before.read[descriptor] ?? 0)
            // Less than before: the descriptor is another connection's.
            return Double(read >= mark ? read - mark : read) < least
        }
        let unread = slow.map { ($0.key, $0.value.counted) }.sorted { ($1.1, $1.0) < ($0.1, $0.0) }
        var excess = unread.reduce(0) { $0 + $1.1 } - limits.unreadBytesInAll
        var going: [Int32] = []
        for (descriptor, bytes) in unread where excess > 0 {
            going.append(descriptor)
            excess -= bytes
        }
        return going
    }

    private func objection(to connection: Connection, at now: Instant) -> ConnectionClosing? {
        if connection.isNewcomer, now - connection.since > limits.newcomerPatience, connection.traffic.received < 65_536
        {
            return .silent
        }
        let unfinished = connection.unfinished(at: now)
        if unfinished > connection.unfinishedBytes { return .unfinished }
        // Whole messages that nobody took yet wait for this side.
        if unfinished > 0, now - connection.lastReceived > limits.patience,
            now - connection.lastMessage > limits.patience
        {
            return .stalled
        }
        if connection.unread > 65_536, now - connection.lastAcknowledged > limits.patience { return .unread }
        return nil
    }

    private mutating func add(_ descriptor: Int32, from address: String, at now: Instant) {
        forget(descriptor)
        connections[descriptor] = Connection(
            address: address, since: now, unfinishedBytes: limits.unfinishedBytes, lastReceived: now,
            lastAcknowledged: now, lastMessage: now)
    }

    private mutating func forget(_ descriptor: Int32) {
        guard let gone = connections.removeValue(forKey: descriptor), let identity = gone.identity else { return }
        if descriptors[identity] == descriptor { descriptors[identity] = nil }
    }
}
