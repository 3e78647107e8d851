import Coordination
import Ledger
import Messages

extension CoordinatorLoop {
    /// Has a request answered beside the ledger's thread.
    func read(_ request: ReadRequest, _ ticket: ClientTicket, attempt: Int = 1) {
        let (inbox, budget, generation) = (process.inbox, budget, generation)
        process.reads.run { reads in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            let reply = ClientReply(reads.answer(request))
            budget.made(reply, for: ticket)
            inbox.post(.wasRead(ticket, request, generation: generation, attempt: attempt, reply))
            if let error = reads.displaced { inbox.post(.failed(error)) }
        }
    }

    /// What was read before a forget was acknowledged is not told after: it is read again.
    func wasRead(
        _ ticket: ClientTicket, _ request: ReadRequest, generation: Int, attempt: Int, _ reply: ClientReply
    ) {
        if generation == self.generation { return answer(ticket, reply) }
        if attempt < Self.readAttempts { return read(request, ticket, attempt: attempt + 1) }
        let message = "the ledger changed again and again while it was read; ask again"
        answer(ticket, ClientReply(ClientError(code: .busy, message: message)))
    }
}
