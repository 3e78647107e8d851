import Coordination
import Messages

/// Large requests (a batch of an import, the names of a hundred thousand people) from when they come until they are answered.
/// A value: it decodes nothing, and says where that is to be done.
///
/// JSON is read at some 50 MB a second: on the socket's thread a single one would keep heartbeats and everybody's status
/// waiting for a second. So large ones are decoded on a thread of their own, in the order in which they came, and what the
/// same connection sends meanwhile stays behind them. Their bytes are bounded until they are answered, since they wait for the
/// ledger afterwards.
package struct LargeRequests {
    /// Bytes from which on a request is large: decoding less than that takes a few milliseconds.
    package static let threshold = 256 << 10
    /// What a message counts at least, in bytes.
    package static let leastBytes = 1024
    package static let refusal = ClientError(
        code: .busy, message: "too many large requests wait to be read and to be answered; ask again later")

    package struct Limits: Sendable {
        /// Of all together, in bytes: the largest request, or several, and what comes behind it. Decoding takes as much again.
        package var bytes = WireLimits.request + 8 << 20
        /// Of one connection.
        package var bytesOfOne = WireLimits.request + 4 << 20

        package init() {}
    }

    package enum Way: Equatable, Sendable {
        case onSocketThread
        case onOwnThread
        /// There is no room for it.
        case refused
    }

    private struct Peer {
        var decoding = 0
        var bytes = 0
    }

    private let limits: Limits
    private var peers: [PeerID: Peer] = [:]
    /// Of requests that were decoded and are not answered; of a ticket that came twice, twice.
    private var unanswered: [ClientTicket: [Int]] = [:]
    /// Of requests whose bodies are on their way into the ledger.
    private var given: [LedgerCommandID: (peer: PeerID, bytes: Int)] = [:]
    package private(set) var bytes = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes a message in.
    package mutating func take(bytes count: Int, from peer: PeerID) -> Way {
        let known = peers[peer] ?? Peer()
        guard count > Self.threshold || known.decoding > 0 else { return .onSocketThread }
        let counted = max(count, Self.leastBytes)
        guard bytes + counted <= limits.bytes, known.bytes + counted <= limits.bytesOfOne else { return .refused }
        peers[peer] = Peer(decoding: known.decoding + 1, bytes: known.bytes + counted)
        bytes += counted
        return .onOwnThread
    }

    /// One that was taken in was decoded, whatever came of it.
    ///
    /// `ticket` is of a request that will be answered once; nil: its bytes count no more.
    package mutating func decoded(bytes count: Int, from peer: PeerID, keptFor ticket: ClientTicket?) {
        let counted = max(count, Self.leastBytes)
        peers[peer]?.decoding -= 1
        if let ticket {
            unanswered[ticket, default: []].append(counted)
        } else {
            release(counted, of: peer)
        }
    }

    package mutating func finished(_ ticket: ClientTicket) {
        if let count = takeOut(ticket) { release(count, of: ticket.peer) }
    }

    /// The ledger was given what the request says. It counts until the ledger has taken or refused that: its body waits there,
    /// also when nobody waits for the reply any more.
    package mutating func gave(_ ticket: ClientTicket, as id: LedgerCommandID) {
        guard let count = takeOut(ticket) else { return }
        given[id] = (ticket.peer, count)
    }

    /// The ledger has taken or refused it.
    package mutating func ended(_ id: LedgerCommandID) {
        if let known = given.removeValue(forKey: id) { release(known.bytes, of: known.peer) }
    }

    private mutating func takeOut(_ ticket: ClientTicket) -> Int? {
        guard let count = unanswered[ticket]?.popLast() else { return nil }
        if unanswered[ticket]?.isEmpty == true { unanswered[ticket] = nil }
        return count
    }

    private mutating func release(_ count: Int, of peer: PeerID) {
        bytes -= count
        guard var known = peers[peer] else { return }
        known.bytes -= count
        peers[peer] = known.bytes == 0 && known.decoding == 0 ? nil : known
    }
}
