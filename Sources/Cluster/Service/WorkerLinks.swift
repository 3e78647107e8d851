import Coordination
import Messages
import ZeroMQ

/// Long messages to and from workers, of all connections: who may go on, who has too much waiting, who stands still. A value.
package struct WorkerLinks {
    package struct Limits: Sendable {
        /// Bytes of one message from a worker.
        package var message = WireLimits.message
        /// Bytes that wait for one worker, and for all.
        package var held = PortionLimits.heldBytes
        package var heldInAll = PortionLimits.heldBytesInAll
        /// Bytes from all workers of messages that are not whole yet, or whole and not decoded.
        package var unfinishedInAll = PortionLimits.unfinishedBytesInAll

        package init() {}
    }

    fileprivate struct Link {
        var exchange: PortionExchange
        /// When its message that is not whole yet began, counted over all.
        var began: Int?
        /// Seconds of the clock.
        var lastPortion = 0.0
        /// It was not told to go on.
        var isHeldUp = false
        var hasNews = false
    }

    private let limits: Limits
    private var links: [PeerID: Link] = [:]
    private var transfers = 0
    /// How many were not told to go on.
    private var heldUp = 0
    /// Bytes that wait for all workers.
    package private(set) var heldBytes = 0
    /// Bytes that came of messages that are not whole yet.
    package private(set) var unfinishedBytes = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    // MARK: connections

    /// A worker is at this connection.
    package mutating func admit(_ peer: PeerID) {
        guard links[peer] == nil else { return }
        links[peer] = Link(exchange: PortionExchange(limit: limits.message, held: limits.held))
    }

    package func has(_ peer: PeerID) -> Bool { links[peer] != nil }

    /// What waited for it, and what had come of a message, is gone.
    package mutating func remove(_ peer: PeerID) {
        if let gone = links.removeValue(forKey: peer) { count(gone, -1) }
    }

    package mutating func keep(where isOpen: (PeerID) -> Bool) {
        for peer in links.keys.filter({ !isOpen($0) }) { remove(peer) }
    }

    // MARK: messages

    /// - Returns: what the socket is to be given for it now.
    package mutating func send(
        _ parcel: Parcel, to peer: PeerID, at now: Double
    ) throws(OutgoingPortions.Full) -> [[[UInt8]]] {
        guard var link = takeOut(peer) else { return [parcel.frames] }
        defer { putBack(link, peer) }
        return try link.exchange.outgoing.send(parcel, at: now)
    }

    /// - Parameters:
    ///   - frames: of one message, or of one portion of a large one.
    ///   - peer: the connection that it came on.
    ///   - now: seconds, by the loop's clock.
    ///   - undecoded: bytes of messages that are whole and not decoded yet: while there are any, nobody goes on above the limit;
    ///     then whoever began first.
    /// - Throws: what a worker may not send; its connection is to be closed.
    package mutating func take(
        _ frames: [[UInt8]], from peer: PeerID, at now: Double, undecoded: Int = 0
    ) throws(WireError) -> PortionExchange.Step {
        guard var link = takeOut(peer) else { return PortionExchange.Step() }
        defer { putBack(link, peer) }
        var isHeldUp = link.isHeldUp
        let began = link.began ?? .max
        let received = link.exchange.incoming.credit.received
        let step = try link.exchange.take(frames, at: now) { bytes in
            isHeldUp =
                unfinishedBytes + undecoded + bytes > limits.unfinishedInAll
                && (undecoded > 0 || links.values.contains { $0.began.map { $0 < began } ?? false })
            return !isHeldUp
        }
        link.isHeldUp = isHeldUp
        if link.exchange.incoming.credit.received != received { link.lastPortion = now }
        link.hasNews = true
        if !link.exchange.incoming.isOpen {
            link.began = nil
        } else if link.began == nil {
            transfers += 1
            link.began = transfers
        }
        return step
    }

    /// Credits for those who had to wait and may go on, oldest first.
    package mutating func letGoOn(at now: Double, undecoded: Int = 0) -> [(peer: PeerID, frames: [[UInt8]])] {
        guard heldUp > 0 else { return [] }
        let waiting = links.filter(\.value.isHeldUp).sorted { Self.isOlder($0, $1) }
        let oldest = links.values.compactMap(\.began).min()
        var given: [(peer: PeerID, frames: [[UInt8]])] = []
        let hasRoom = unfinishedBytes + undecoded <= limits.unfinishedInAll
        for (peer, link) in waiting where hasRoom || (undecoded == 0 && link.began == oldest) {
            guard let credit = links[peer]?.exchange.incoming.allow(),
                let frames = try? PortionMessage.credit(credit).frames()
            else { continue }
            links[peer]?.isHeldUp = false
            heldUp -= 1
            links[peer]?.lastPortion = now
            given.append((peer, frames))
        }
        return given
    }

    // MARK: what is asked every now and then

    /// Workers of which portions, or confirmations of portions, have come since this was asked last.
    package mutating func takeNews() -> [PeerID] {
        let peers = links.filter(\.value.hasNews).keys.sorted { Self.isBefore($0, $1) }
        for peer in peers { links[peer]?.hasNews = false }
        return peers
    }

    /// Whose connections must be closed, and why.
    package func due(at now: Double) -> [(peer: PeerID, reason: ConnectionClosing)] {
        var due: [PeerID: ConnectionClosing] = [:]
        for (peer, link) in links {
            let incoming = link.exchange.incoming
            if link.exchange.outgoing.isStalled(at: now) {
                due[peer] = .unread
            } else if incoming.isOpen, incoming.isAllowed, !link.isHeldUp,
                now - link.lastPortion > PortionLimits.patience
            {
                due[peer] = .stalled
            }
        }
        var excess = heldBytes - limits.heldInAll
        if excess > 0 {
            for (peer, link) in links.sorted(by: { Self.hasMore($0, $1) }) where excess > 0 {
                due[peer] = .unread
                excess -= link.heldBytes
            }
        }
        return due.sorted { Self.isBefore($0.key, $1.key) }.map { ($0.key, $0.value) }
    }

    package var isOverfull: Bool { heldBytes > limits.heldInAll }

    /// Whether more is to be made for the worker: none where much waits for it; where much waits for all, only for whom nothing
    /// does, and where most of what may wait does, for nobody. So whoever reads slowly holds up nobody else, and connections are
    /// closed only if that was not enough.
    package func mayHand(to peer: PeerID) -> Bool {
        let own = links[peer]?.heldBytes ?? 0
        let mayAnybody = heldBytes <= limits.heldInAll / 4 * 3
        return mayAnybody && (own == 0 || own <= limits.held / 2 && heldBytes <= limits.heldInAll / 2)
    }

    // MARK: parts

    /// Taken out, so that what it holds is not copied when it changes.
    private mutating func takeOut(_ peer: PeerID) -> Link? {
        guard let link = links.removeValue(forKey: peer) else { return nil }
        count(link, -1)
        return link
    }

    private mutating func putBack(_ link: Link, _ peer: PeerID) {
        count(link, 1)
        links[peer] = link
    }

    private mutating func count(_ link: Link, _ sign: Int) {
        heldBytes += sign * link.heldBytes
        unfinishedBytes += sign * link.exchange.incoming.bytes
        heldUp += link.isHeldUp ? sign : 0
    }

    private static func isBefore(_ left: PeerID, _ right: PeerID) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    private static func isOlder(_ left: (key: PeerID, value: Link), _ right: (key: PeerID, value: Link)) -> Bool {
        let (leftBegan, rightBegan) = (left.value.began ?? .max, right.value.began ?? .max)
        return leftBegan == rightBegan ? isBefore(left.key, right.key) : leftBegan < rightBegan
    }

    private static func hasMore(_ left: (key: PeerID, value: Link), _ right: (key: PeerID, value: Link)) -> Bool {
        let (leftBytes, rightBytes) = (left.value.heldBytes, right.value.heldBytes)
        return leftBytes == rightBytes ? isBefore(left.key, right.key) : leftBytes > rightBytes
    }
}

extension WorkerLinks.Link {
    fileprivate var heldBytes: Int { exchange.outgoing.heldBytes }
}
