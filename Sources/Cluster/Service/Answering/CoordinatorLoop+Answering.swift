import Coordination
import Foundation
import LanguageModels
import Messages
import Serving
import ZeroMQ

/// Questions: the queue says what is to be done, the ledger's thread collects, the engine's computes, and here it is decided
/// whether an answer may go out.
extension CoordinatorLoop {
    func ask(_ query: ClientRequest.QueryRequest, _ ticket: ClientTicket) {
        let id = QuestionID(ticket)
        if let json = kept.answer(to: id, query, active: activeAdapters, at: now.milliseconds) {
            return answer(ticket, ClientReply(outcome: .success(json: json)))
        }
        perform(questions.ask(id, query, by: Asker(ticket)))
    }

    func take(_ news: QueryEngine.News) {
        switch news {
        case .computed(let number, let done, let prompts): questions.computed(number, done: done, of: prompts)
        case .answered(let number, let result): answered(number, result)
        case .damaged(let adapter): handle(.adapterDamaged(adapter))
        case .read(let tokens): questions.read(tokens: tokens)
        }
    }

    func collected(_ number: QuestionQueue.ComputationID, _ result: Result<CollectedQuestion, ClientError>) {
        switch result {
        case .success(let question):
            guard questions.collected(number, question.basis), let asker = questions.asker(of: number) else { return }
            process.engine.post(.begin(number, asker, question.job))
        case .failure(let error): answered(number, .failure(error))
        }
    }

    private func answered(_ number: QuestionQueue.ComputationID, _ result: Result<QueryReply, ClientError>) {
        perform(questions.answered(number, result, active: activeAdapters))
    }

    var activeAdapters: Set<String> { Set(coordinator.activeAdapters.map(\.name)) }

    /// Before anybody hears that it is forgotten.
    func forgot(_ forgotten: ForgottenInputs) {
        kept.forgot(forgotten)
        revoke(forgotten)
        perform(questions.forgot(forgotten))
        // Behind what was dropped.
        process.engine.post(.forget(forgotten))
    }

    /// Tells whoever has waited for a while; who cannot be told is gone, and what only they asked for is left.
    func sayWorking() {
        kept.dropOld(at: now.milliseconds)
        var gone: [PeerID] = []
        for (id, ticket) in inFlight.due(at: now) where !gone.contains(ticket.peer) {
            if !tell(questions.notice(id), to: ticket) { gone.append(ticket.peer) }
        }
        for peer in gone { left(peer) }
    }

    /// - Returns: false: the peer is gone.
    func tell(_ notice: WorkingNotice, to ticket: ClientTicket) -> Bool {
        guard let frames = try? notice.frames(id: ticket.request) else { return true }
        do {
            try socket.send([ticket.peer.bytes] + said(frames, to: ticket.peer), isReply: true)
            return true
        } catch {
            if case ZeroMQError.wouldBlock = error { socket.connections?.close(ticket.peer.bytes, because: .unread) }
            return false
        }
    }

    func left(_ peer: PeerID) {
        let (tickets, abandoned) = inFlight.leave(peer)
        for ticket in tickets { finished(ticket) }
        for id in abandoned {
            guard let ticket = inFlight.ticket(of: id), ticket.asked == ClientRequest.queryName else { continue }
            perform(questions.abandon(id))
            _ = inFlight.end(ticket)
        }
    }

    private func perform(_ actions: [QuestionQueue.Action]) {
        for action in actions {
            switch action {
            case .begin(let number, let query): begin(number, query)
            case .drop(let number): process.engine.post(.drop(number))
            case .answer(let id, let result, let basis):
                guard let ticket = inFlight.ticket(of: id) else { continue }
                let reply = ClientReply(
                    result.flatMap { reply in Self.encoded { try ReplyCoding.encode(reply) } })
                if case .success(let json) = reply.outcome, let basis,
                    case .query(let query)? = inFlight.request(of: id)
                {
                    kept.keep(json, of: id, query, basis, at: now.milliseconds)
                }
                answer(ticket, reply)
            }
        }
    }

    private func begin(_ number: QuestionQueue.ComputationID, _ query: ClientRequest.QueryRequest) {
        let inbox = process.inbox
        onLedger { service in
            // What is forgotten from here on is told after this.
            inbox.post(.collected(number, service.result { try service.collect(query) }))
        }
    }

    /// Answers do not wait for the ledger's entry: queries are only counted, and reading leaves none.
    func answer(_ ticket: ClientTicket, _ reply: ClientReply) {
        process.store.post(
            .write(LedgerWrite(command: nil, access: ticket.access(refusal: reply.refusal)) { _, _ in }))
        self.reply(ticket, reply)
    }

    static func encoded(_ body: () throws -> Data) -> Result<Data, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ClientError(code: .failed, message: "\(error)"))
        }
    }
}
