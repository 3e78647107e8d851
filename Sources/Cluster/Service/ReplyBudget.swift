import Coordination
import Messages
import ZeroMQ

/// How much peers may ask for at once, and leave unread.
///
/// A reply may be a thousand times as long as its request, and libzmq counts the messages that wait for a peer, not their
/// bytes. So a reply is only made while there is room for it; otherwise the request is refused with `busy`.
final class ReplyBudget: Sendable {
    struct Limits: Sendable {
        /// Requests of one connection that are being answered.
        var requests = 64
        /// Bytes that one connection may have left unread when more is made for it.
        var unreadByOne = 32 << 20
        /// The same of all together, with what is made and not sent yet; of workers only what they asked for, as clients do.
        var unread = 128 << 20
        /// Of that, what may stay unread for seconds. Above it, of those who read slowly, whoever has the most unread loses the
        /// connection, so that they keep nobody else from an answer.
        var unreadForSeconds: Int { unread / 4 * 3 }
    }

    private struct State {
        /// Requests that are answered exactly once, until they are.
        var asked: [ClientTicket: Int] = [:]
        var askedBy: [PeerID: Int] = [:]
        /// Bytes of large replies on their way from the ledger's thread to the socket's.
        var made: [ClientTicket: Int] = [:]
        var madeInAll = 0
    }

    static let refusal = ClientError(
        code: .busy, message: "too many replies wait to be made or to be read; read them, or ask again later")

    private let limits: Limits
    private let connections: ConnectionGuard?
    private let state = Locked(State())

    init(_ connections: ConnectionGuard?, _ limits: Limits = Limits()) {
        self.connections = connections
        self.limits = limits
    }

    /// Takes a request in, on the socket's thread.
    ///
    /// - Returns: whether it may be answered.
    func admits(_ request: ClientRequest, _ ticket: ClientTicket) -> Bool {
        // A lease that is not renewed would cost more than its reply.
        switch request {
        case .serving(.lease), .serving(.endLease): return true
        default: break
        }
        // A forget is not kept waiting by what others leave unread.
        guard request.isAnsweredOnce else { return unread(by: ticket.peer) < limits.unreadByOne }
        guard mayMake(ticket) else { return false }
        return state.withLock { state in
            guard state.askedBy[ticket.peer, default: 0] < limits.requests else { return false }
            state.askedBy[ticket.peer, default: 0] += 1
            state.asked[ticket, default: 0] += 1
            return true
        }
    }

    /// Whether there is room for a reply, just before it is made. On any thread.
    func mayMake(_ ticket: ClientTicket) -> Bool {
        let made = state.withLock { $0.madeInAll }
        return unread(by: ticket.peer) < limits.unreadByOne && made < limits.unread
            && connections?.isUnread(moreThan: limits.unread - made) != true
    }

    /// Whether a reply that was made for somebody may also go to this one, who asked the same.
    func mayShare(_ reply: ClientReply, with ticket: ClientTicket) -> Bool {
        reply.bytes <= Self.shortReply || mayMake(ticket)
    }

    /// Bytes of replies that are worth no question.
    private static let shortReply = 64 << 10

    /// A reply was made.
    func made(_ reply: ClientReply, for ticket: ClientTicket) {
        let bytes = reply.bytes
        state.withLock { state in
            state.made[ticket, default: 0] += bytes
            state.madeInAll += bytes
        }
    }

    /// A reply goes to the socket.
    func finished(_ ticket: ClientTicket) {
        state.withLock { state in
            state.madeInAll -= state.made.removeValue(forKey: ticket) ?? 0
            guard let times = state.asked[ticket] else { return }
            state.asked[ticket] = times > 1 ? times - 1 : nil
            let others = state.askedBy[ticket.peer, default: 1] - 1
            state.askedBy[ticket.peer] = others > 0 ? others : nil
        }
    }

    private func unread(by peer: PeerID) -> Int { connections?.unread(by: peer.bytes) ?? 0 }
}

extension ClientReply {
    fileprivate var bytes: Int {
        let json = if case .success(let json) = outcome { json.count } else { 0 }
        return payloads.reduce(json) { $0 + $1.count }
    }
}

extension ClientRequest {
    /// Whether every request of this kind gets its reply soon, and one reply only.
    fileprivate var isAnsweredOnce: Bool {
        switch self {
        case .forget(let forget): forget.dryRun
        case .serving(.lease), .serving(.endLease), .serving(.model): false
        case .train, .evaluate, .verify, .compare, .forgetCopy, .order: false
        case .importRows, .finishImport, .dropImport, .query, .status, .configuration, .operation, .comparedCases,
            .stop, .adapters, .lineage, .exportAdapter, .access, .audit, .requests, .serving:
            true
        }
    }
}
