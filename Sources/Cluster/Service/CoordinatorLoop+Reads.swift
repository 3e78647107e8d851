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

    /// What is there was read before a forget was acknowledged and is not told after: it is read again.
    func wasRead(
        _ ticket: ClientTicket, _ request: ReadRequest, generation: Int, attempt: Int, _ reply: ClientReply
    ) {
        guard request.showsPresent, generation != self.generation else {
            return answerBehindCommits(ticket, reply)
        }
        if attempt < Self.readAttempts { return read(request, ticket, attempt: attempt + 1) }
        // Among so many forgets it waits its turn.
        answer(ticket) { try ReplyCoding.encode(AdaptersReply(model: $0.model, try $0.ledger.adapters())) }
    }
}
