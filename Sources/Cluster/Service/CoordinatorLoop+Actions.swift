import Coordination
import Foundation
import LanguageModels
import Logging
import Messages
import Recommendation
import ZeroMQ

extension CoordinatorLoop {
    func perform(_ action: CoordinatorAction) {
        let inbox = process.inbox
        switch action {
        case .send(let peer, let message):
            switch message {
            case .cancel, .release, .drop:
                waitingTasks.note(message, to: peer)
                sendBehindLedger(message, to: peer)
            default: send(peer, message)
            }
        case .dispatch(let peer, let dispatch):
            waitingTasks.add(dispatch, for: peer)
            handOut()
        case .reply(let ticket, let reply): self.reply(ticket, with: reply)
        case .working(let ticket): if !tell(WorkingNotice(), to: ticket) { left(ticket.peer) }
        case .ledger(let id, let command): write(command, id)
        case .findGone(let digests):
            onLedger { service in
                inbox.post(.event(.goneFound(service.result { try service.ledger.goneLately(of: digests) })))
            }
        case .loadMissing(let rows, let limit):
            onLedger { service in
                inbox.post(.event(.missing(rows, service.result { try service.missing(rows, limit: limit) })))
            }
        case .loadSplit(let operation, let split, let parameters):
            loadSplit(operation, split, parameters)
        case .loadComparison(let operation, let options):
            loadComparison(operation, options)
        case .loadForgetShards(let operation, let request):
            onLedger { service in
                let shards = service.result { try service.forgetShards(request: request) }
                inbox.post(.event(.forgetShards(operation: operation, shards)))
            }
        case .loadStages(let operation):
            onLedger { service in
                inbox.post(
                    .event(.stages(operation: operation, service.result { try service.ledger.stages() })))
            }
        case .computeWeights(let operation, let request):
            computeWeights(operation, request)
        case .buildEvaluation(let operation, let scores):
            buildEvaluation(operation, scores)
        case .superseded(let other):
            onLedger { try? $0.ledger.noteSuperseded(by: other.known, at: Date()) }
            giveWay(to: other)
        case .log(let line): logger.info("\(line)", metadata: line.metadata)
        }
    }

    /// Behind the tasks that the ledger's thread was asked for before.
    private func sendBehindLedger(_ message: CoordinatorMessage, to peer: PeerID) {
        let inbox = process.inbox
        onLedger { _ in
            guard let parcel = try? Parcel(message) else { return }
            inbox.post(.send(peer, parcel))
        }
    }

    /// Has tasks made whole, as many as there is room for.
    func handOut() {
        let inbox = process.inbox
        for entry in waitingTasks.begin(where: { links.mayHand(to: $0) }) {
            let peer = entry.peer
            switch entry.work {
            case .drop(let adapters): sendBehindLedger(.drop(adapters: adapters), to: peer)
            case .dispatch(.compare(let task, let options, let position, let basis)):
                hand(case: position, options, basis: basis, as: task, to: peer, version: version(of: peer))
            case .dispatch(.replay(let task, let specification, .everything)):
                hand(everythingAs: task, specification, to: peer, version: version(of: peer))
            case .dispatch(let dispatch):
                let (version, question) = (version(of: peer), entry.question)
                onLedger { service in
                    do {
                        let message = try service.message(for: dispatch)
                        guard message.since <= version else { throw ClientError.unknownWork }
                        inbox.post(.dispatched(peer, question, (dispatch, try Parcel(message))))
                    } catch {
                        inbox.post(.dispatched(peer, question, nil))
                        inbox.post(
                            .event(.undelivered(peer: peer, task: dispatch.task, ClientError(of: error))))
                    }
                }
            }
        }
    }

    private func write(_ command: LedgerCommand, _ id: LedgerCommandID) {
        let inbox = process.inbox
        let asking = asking?.request == command.clientRequest ? asking : nil
        if let asking, case .forget = command { large.gave(asking, as: id) }
        process.store.post(
            .write(
                LedgerWrite(command: command, access: asking?.access(refusal: nil)) { service, outcome in
                    guard let outcome else { return }
                    inbox.post(
                        .committed(id, outcome, noted: asking, forgotten: service.forgottenInputs(of: outcome)))
                    // Data that changed under a stale write must become known, or the same write is made again.
                    if case .failed(let error) = outcome, error.code == .stale { inbox.post(service.changed()) }
                    Self.report(service, to: inbox)
                }))
    }

    private func reply(_ ticket: ClientTicket, with reply: CoordinatorReply) {
        let inbox = process.inbox
        switch reply {
        case .failure(let error):
            process.store.post(
                .write(
                    LedgerWrite(command: nil, access: ticket.access(refusal: error)) { _, _ in
                        inbox.post(.reply(ticket, ClientReply(error)))
                    }))
        case .operation where ticket.asked != ClientRequest.operationName && !noted.contains(ticket):
            // What was accepted leaves its entry before its client hears of it.
            process.store.post(
                .write(
                    LedgerWrite(command: nil, access: ticket.access(refusal: nil)) { _, _ in
                        inbox.post(.noted(ticket, reply))
                    }))
        default: replyNoted(ticket, with: reply)
        }
    }

    /// The request has its entry in the audit log, if it leaves one, or gets it here.
    func replyNoted(_ ticket: ClientTicket, with reply: CoordinatorReply) {
        if let ready = ready(reply, for: ticket) { return self.reply(ticket, ready) }
        if case .status(let report) = reply, let facts { return answer(ticket, report, facts) }
        if let request = ReadRequest(reply) { return read(request, ticket) }
        let inbox = process.inbox
        if case .operation(let report, .verification(let verification)?) = reply {
            return answer(ticket, report, verification)
        }
        onLedger { service in
            let reply = service.reply(reply)
            service.note(ticket, refusal: reply.refusal)
            inbox.post(.reply(ticket, reply))
        }
    }

    /// Reads the files of adapters, which needs their keys, and the whole audit log.
    private func answer(_ ticket: ClientTicket, _ report: OperationReport, _ verification: VerificationReport) {
        let inbox = process.inbox
        onLedger { service in
            // What is damaged is taken away meanwhile, and is to be in the reply all the same.
            _ = try? service.damaged(verification, operation: report.id)
            service.withVerdict(of: report.id) { service, audit in
                let result = audit.flatMap { audit in
                    service.result {
                        let found = try service.verifyReply(verification, operation: report.id, audit: audit)
                        return try ReplyCoding.encode(OperationReply(report: report, result: found))
                    }
                }
                let reply = ClientReply(result)
                service.note(ticket, refusal: reply.refusal)
                inbox.post(.reply(ticket, reply))
                Self.report(service, to: inbox)
            }
        }
    }

    /// Beside the socket's thread: in a large cluster a status is long, and nobody else is to wait for its JSON.
    private func answer(_ ticket: ClientTicket, _ report: StatusReport, _ facts: LedgerFacts) {
        var counts = questions.counts
        counts.gateways = leases.count(at: now.milliseconds)
        let status = StatusReply(
            report: report, statistics: facts.statistics, attention: facts.attention,
            certificateKey: process.publicKey, questions: counts, keysPutAside: facts.keysPutAside)
        let (inbox, budget) = (process.inbox, budget)
        process.reads.run { _ in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            let reply = ClientReply(Self.encoded { try ReplyCoding.encode(status) })
            budget.made(reply, for: ticket)
            inbox.post(.reply(ticket, reply))
        }
    }

    /// A short reply for which nothing has to be asked of the ledger or written into it.
    private func ready(_ reply: CoordinatorReply, for ticket: ClientTicket) -> ClientReply? {
        switch reply {
        case .operation(let report, nil):
            let reply = OperationReply<String>(report: report, result: nil)
            return ClientReply(Self.encoded { try ReplyCoding.encode(reply) })
        case .forgetAccepted(.running, let outcome) where noted.contains(ticket):
            return ClientReply(Self.encoded { try ReplyCoding.encode(ForgetReply(outcome: outcome)) })
        default: return nil
        }
    }
}

extension LedgerOutcome {
    /// It is committed and could not be read: the value gives the same command once more.
    var isAskedAgain: Bool { if case .failed(let error) = self { error.code == .unread } else { false } }
}

extension LogLine {
    /// What the line is about.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        metadata["worker"] = worker.map { "\($0)" }
        metadata["shard"] = shard.map { "\($0)" }
        metadata["task"] = task.map { "\($0)" }
        metadata["request"] = request.map { "\($0)" }
        return metadata
    }
}

extension LedgerService {
    /// The ledger as it is now, for the logic; to be read again later if it cannot be read.
    func changed() -> CoordinatorProcess.Input {
        guard let snapshot = try? ledger.snapshot() else { return .readAgain }
        return .event(.ledgerChanged(snapshot))
    }

    func result<Value>(_ body: () throws -> Value) -> Result<Value, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ClientError(of: error))
        }
    }

    /// The reply as it goes over the wire, with what only the ledger knows.
    func reply(_ reply: CoordinatorReply) -> ClientReply {
        do {
            return ClientReply(outcome: .success(json: Array(try body(of: reply))))
        } catch {
            return ClientReply(ClientError(of: error))
        }
    }

    private func body(of reply: CoordinatorReply) throws -> Data {
        switch reply {
        case .failure(let error): throw error
        case .forgetAccepted(_, let outcome):
            return try ReplyCoding.encode(try forgetReply(request: outcome.request))
        case .forgottenCopy(let settlement): return try ReplyCoding.encode(ForgottenCopyReply(settlement))
        case .ordered(let reply): return try ReplyCoding.encode(reply)
        case .status, .operation, .comparedCases, .unknownOperation:
            throw ClientError(code: .busy, message: "the coordinator is starting")
        }
    }
}

extension ReadRequest {
    /// nil: it is no reply for which rows of the database are enough.
    fileprivate init?(_ reply: CoordinatorReply) {
        switch reply {
        case .unknownOperation(let id): self = .earlierOperation(id)
        case .operation(let report, .forget?): self = .forget(report)
        case .operation(let report, .comparison(let found)?): self = .comparison(report, found)
        case .comparedCases(let report, let cases): self = .comparedCases(report, cases)
        case .operation(let report, .evaluation(let json)?): self = .evaluation(report, json)
        case .operation, .forgetAccepted, .status, .forgottenCopy, .ordered, .failure: return nil
        }
    }
}
