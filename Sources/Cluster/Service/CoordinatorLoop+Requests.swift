import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation

extension CoordinatorLoop {
    /// Sorts requests: some are for the logic, some for the ledger, queries for the engine.
    func receive(_ request: ClientRequest, ticket: ClientTicket) {
        switch request {
        case .forget(let forget) where forget.dryRun:
            answer(ticket) { service in
                try ReplyCoding.encode(try service.ledger.plan(forget))
            }
        case .train, .forget, .evaluate, .verify, .compare, .status, .operation, .forgetCopy:
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
        case .adapters: read(.adapters, ticket)
        case .lineage: answer(ticket) { service in try ReplyCoding.encode(try service.lineage()) }
        case .exportAdapter(let name): exportAdapter(name, ticket)
        case .access(let user):
            // What leaves the cluster leaves an entry, or does not leave.
            answer(ticket, notesFirst: true) { service in
                try ReplyCoding.encode(try service.ledger.personalData(user: user))
            }
        case .audit(let audit): read(.audit(audit), ticket)
        case .query(let query): self.query(query, ticket, attempt: 1)
        }
    }

    private func answer(
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

    private func exportAdapter(_ name: String, _ ticket: ClientTicket) {
        let inbox = process.inbox
        let budget = budget
        onLedger { service in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            var reply: ClientReply
            switch service.result({ try service.ledger.adapterBytes(name: name) }) {
            case .success(let bytes):
                reply = ClientReply(outcome: .success(json: Array("{}".utf8)), payloads: [bytes])
            case .failure(let error) where error.code == .stale:
                reply = ClientReply(ClientError(code: .unknownAdapter, message: "no adapter \(name)"))
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

    /// Ledger, then engine, then back here, where it is decided whether the answer may go out.
    private func query(_ query: ClientRequest.QueryRequest, _ ticket: ClientTicket, attempt: Int) {
        let inbox = process.inbox
        let engine = process.engine
        let generation = generation
        onLedger { service in
            let job = service.result { try service.job(for: query) }
            engine.run { engine in
                let result = job.flatMap { job in
                    do {
                        return .success(try engine.answer(job))
                    } catch {
                        if let adapter = (error as? LedgerError)?.damagedAdapter {
                            inbox.post(.event(.adapterDamaged(adapter)))
                        }
                        return Result<QueryReply, ClientError>.failure(LedgerService.clientError(error))
                    }
                }
                inbox.post(.answered(ticket, query, generation: generation, attempt: attempt, result))
            }
        }
    }

    /// An answer that was begun before a forget was committed may rest on forgotten data: it is computed again.
    func answered(
        _ ticket: ClientTicket, _ query: ClientRequest.QueryRequest, generation: Int, attempt: Int,
        _ result: Result<QueryReply, ClientError>
    ) {
        var isStale = generation != self.generation
        switch result {
        case .success(let reply):
            let active = Set(coordinator.activeAdapters.map(\.name))
            isStale = isStale || !reply.adapters.allSatisfy { active.contains($0.name) }
        // Without the damaged adapter the others can answer: it is taken away before the next attempt.
        case .failure(let error) where error.code == .adapterDamaged:
            isStale = attempt < Self.queryAttempts
        case .failure(let error): isStale = isStale || error.code == .stale
        }
        if !isStale {
            answer(ticket, ClientReply(result.flatMap { reply in encoded { try ReplyCoding.encode(reply) } }))
        } else if attempt < Self.queryAttempts {
            self.query(query, ticket, attempt: attempt + 1)
        } else {
            let message = "the adapters changed again and again while the answer was computed; ask again"
            answer(ticket, ClientReply(ClientError(code: .busy, message: message)))
        }
    }

    /// Answers do not wait for the ledger's entry: queries are only counted, and reading leaves none.
    func answer(_ ticket: ClientTicket, _ reply: ClientReply) {
        process.store.post(
            .write(LedgerWrite(command: nil, access: ticket.access(refusal: reply.refusal)) { _, _ in }))
        self.reply(ticket, reply)
    }

    func encoded(_ body: () throws -> Data) -> Result<Data, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ClientError(code: .failed, message: "\(error)"))
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
