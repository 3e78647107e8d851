import Coordination
import Messages
import Serving

/// Requests that are being answered, by the name that their client gave them: one that is asked again is not answered
/// twice, and whoever waits hears that it is worked on.
package struct RequestsInFlight {
    /// How often whoever waits is told: a client gives up waiting and connects anew after 5 s without a word.
    package static let noticeMilliseconds: Int64 = 1000

    package enum Taken: Equatable {
        case new
        /// It is answered with the one that is under way.
        case joined
        /// The same connection sent it twice: it gets one answer.
        case repeated
        /// Another request has the name.
        case conflict
    }

    private struct Entry {
        var request: ClientRequest
        /// Who asked first: what comes of it comes under this.
        var first: ClientTicket
        /// Those who are there.
        var tickets: [ClientTicket]
        var lastNotice: CoordinatorInstant
    }

    private var entries: [QuestionID: Entry] = [:]
    /// In the order in which they came.
    private var order: [QuestionID] = []

    package init() {}

    package mutating func take(_ request: ClientRequest, _ ticket: ClientTicket, at now: CoordinatorInstant) -> Taken {
        let id = QuestionID(ticket)
        guard let entry = entries[id] else {
            entries[id] = Entry(request: request, first: ticket, tickets: [ticket], lastNotice: now)
            order.append(id)
            return .new
        }
        guard entry.request.isRepeated(by: request) else { return .conflict }
        guard !entry.tickets.contains(ticket) else { return .repeated }
        entries[id]?.tickets.append(ticket)
        return .joined
    }

    /// - Parameter ticket: of the request as it was first asked.
    /// - Returns: who gets the answer; nil: it is not one of these.
    package mutating func end(_ ticket: ClientTicket) -> [ClientTicket]? {
        let id = QuestionID(ticket)
        guard let entry = entries[id], entry.first == ticket else { return nil }
        entries[id] = nil
        order.removeAll { $0 == id }
        return entry.tickets
    }

    package func request(of id: QuestionID) -> ClientRequest? { entries[id]?.request }

    /// As it was first asked.
    package func ticket(of id: QuestionID) -> ClientTicket? { entries[id]?.first }

    /// - Returns: whoever has waited for a while without a word. They count as told.
    package mutating func due(at now: CoordinatorInstant) -> [(id: QuestionID, ticket: ClientTicket)] {
        var due: [(id: QuestionID, ticket: ClientTicket)] = []
        for id in order {
            guard let entry = entries[id],
                now.milliseconds - entry.lastNotice.milliseconds >= Self.noticeMilliseconds
            else { continue }
            entries[id]?.lastNotice = now
            due += entry.tickets.map { (id, $0) }
        }
        return due
    }

    /// The peer is gone.
    ///
    /// - Returns: its tickets, and the requests for which nobody waits any more. They stay until they are answered or dropped.
    package mutating func leave(_ peer: PeerID) -> (tickets: [ClientTicket], abandoned: [QuestionID]) {
        var (tickets, abandoned): ([ClientTicket], [QuestionID]) = ([], [])
        for id in order {
            guard var entry = entries[id], entry.tickets.contains(where: { $0.peer == peer }) else { continue }
            tickets += entry.tickets.filter { $0.peer == peer }
            entry.tickets.removeAll { $0.peer == peer }
            entries[id] = entry
            if entry.tickets.isEmpty { abandoned.append(id) }
        }
        return (tickets, abandoned)
    }
}

extension QuestionID {
    package init(_ ticket: ClientTicket) {
        self.init(by: ticket.by, request: ticket.request)
    }
}

extension Asker {
    package init(_ ticket: ClientTicket) {
        self = ticket.isWithoutKey ? .connection(ticket.peer) : .key(ticket.by)
    }
}

extension ClientTicket {
    /// What whoever shows no key is called.
    static let nameWithoutKey = "local"

    fileprivate var isWithoutKey: Bool { by == Self.nameWithoutKey }
}

extension ClientRequest {
    /// Whether another one under the same name is the same, sent again. Whoever sends an import again reads it anew, so that its rows
    /// are kept aside under another id; what it is to do is said by the rest.
    fileprivate func isRepeated(by other: ClientRequest) -> Bool {
        guard case .finishImport(let first) = self, case .finishImport(var again) = other else { return self == other }
        again.importID = first.importID
        return first == again
    }

    /// Whether it is answered by the ledger or the query engine, once: then it can be joined while it is.
    var isJoinable: Bool {
        switch self {
        case .forget(let forget): forget.dryRun
        case .importRows, .finishImport, .dropImport, .query, .configuration, .adapters, .lineage, .exportAdapter,
            .access, .audit, .requests:
            true
        case .train, .evaluate, .verify, .compare, .status, .operation, .comparedCases, .stop, .forgetCopy, .order,
            .serving:
            false
        }
    }
}
