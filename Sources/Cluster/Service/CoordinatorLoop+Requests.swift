import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation
import Serving

extension CoordinatorLoop {
    /// What is being answered already is not begun again.
    func receive(_ request: ClientRequest, ticket: ClientTicket) {
        guard request.isJoinable else { return begin(request, ticket: ticket) }
        switch inFlight.take(request, ticket, at: now) {
        case .new: begin(request, ticket: ticket)
        case .joined: dropRows(of: request, joining: inFlight.request(of: QuestionID(ticket)))
        case .repeated: finished(ticket)
        case .conflict:
            let message = "the request id \(ticket.request) is that of another request, which is being answered"
            deliver(ClientReply(ClientError(code: .requestConflict, message: message)), to: ticket)
            finished(ticket)
        }
    }

    /// Sorts requests: some are for the logic, some for the ledger, queries for the engine.
    private func begin(_ request: ClientRequest, ticket: ClientTicket) {
        switch request {
        case .forget(let forget) where forget.dryRun:
            answer(ticket) { service in
                try ReplyCoding.encode(try service.ledger.plan(forget))
            }
        case .train, .forget, .evaluate, .verify, .compare, .status, .operation, .comparedCases, .stop,
            .forgetCopy, .order:
            asking = ticket
            handle(.client(ticket, request))
            asking = nil
        case .importRows(let rows):
            answer(ticket) { service in
                try service.ledger.stage(
                    importID: rows.importID, sequence: rows.sequence, items: rows.items,
                    interactions: rows.interactions, at: Date())
                return Data("{}".utf8)
            }
        case .finishImport(let finish): finishImport(finish, ticket)
        case .dropImport(let id):
            answer(ticket) { service in
                try service.ledger.dropImport(importID: id, at: Date())
                return Data("{}".utf8)
            }
        case .adapters: read(.adapters, ticket)
        case .configuration: read(.configuration(process.configuration), ticket)
        case .lineage: tellLineage(ticket)
        case .exportAdapter(let name): sendAdapter(name, ticket, unknown: .unknownAdapter)
        case .access(let user):
            // What leaves the cluster leaves an entry, or does not leave.
            answer(ticket, notesFirst: true) { service in
                try ReplyCoding.encode(try service.ledger.personalData(user: user))
            }
        case .audit(let audit): read(.audit(audit), ticket)
        case .requests(let wanted): read(.requests(wanted), ticket)
        case .query(let query): ask(query, ticket)
        case .serving(let request): serve(request, ticket)
        }
    }

    /// Rows of an import that was sent again while the first is taken in: nobody asks for them any more.
    private func dropRows(of request: ClientRequest, joining first: ClientRequest?) {
        guard case .finishImport(let again) = request, case .finishImport(let first)? = first,
            again.importID != first.importID
        else { return }
        onLedger { $0.dropRows(of: again.importID) }
    }

    func answer(
        _ ticket: ClientTicket, notesFirst: Bool = false, _ body: @escaping @Sendable (LedgerService) throws -> Data
    ) {
        let inbox = process.inbox
        let budget = budget
        onLedger { service in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            var reply = ClientReply(service.result { try body(service) })
            service.publishFacts()
            let refusal = reply.refusal
            if notesFirst, refusal == nil {
                let noted = service.result { try service.noteFirst(ticket.access(refusal: nil)) }
                if case .failure(let error) = noted { reply = ClientReply(error) }
            } else {
                service.note(ticket, refusal: refusal)
            }
            budget.made(reply, for: ticket)
            inbox.post(.reply(ticket, reply))
        }
    }

    private func finishImport(_ finish: ClientRequest.FinishImport, _ ticket: ClientTicket) {
        let inbox = process.inbox
        onLedger { service in
            service.importWaiters[finish.importID, default: []].append {
                let reply = ClientReply($1)
                $0.note(ticket, refusal: reply.refusal)
                inbox.post(.reply(ticket, reply))
            }
            service.beginImport(finish, requestID: ticket.request)
        }
    }

    /// - Parameter unknown: what whoever asks for one that is not there is told.
    func sendAdapter(_ name: String, _ ticket: ClientTicket, unknown: ErrorCode) {
        let inbox = process.inbox
        let budget = budget
        onLedger { service in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            var reply: ClientReply
            switch service.result({ try service.ledger.adapterBytes(name: name) }) {
            case .success(let bytes):
                reply = ClientReply(outcome: .success(json: Array("{}".utf8)), payloads: [bytes])
            case .failure(let error) where error.code == .stale:
                reply = ClientReply(ClientError(code: unknown, message: "no adapter \(name)"))
            case .failure(let error): reply = ClientReply(error)
            }
            // What leaves the cluster leaves an entry, or does not leave.
            let refusal = reply.refusal
            let noted = service.result {
                try service.noteFirst(ticket.access(adapter: refusal == nil ? name : nil, refusal: refusal))
            }
            if case .failure(let error) = noted { reply = ClientReply(error) }
            budget.made(reply, for: ticket)
            inbox.post(.reply(ticket, reply))
        }
    }
}

extension ClientReply {
    /// A body that is JSON already, or an error.
    init(_ result: Result<Data, ClientError>) {
        switch result {
        case .success(let body): self.init(outcome: .success(json: Array(body)))
        case .failure(let error): self.init(error)
        }
    }
}
