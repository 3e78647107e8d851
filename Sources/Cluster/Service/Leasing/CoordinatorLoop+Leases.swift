import Coordination
import Foundation
import Messages
import Serving

/// Gateways that answer themselves: they get what they compute with, and hear of what is forgotten before whoever asked for it
/// does.
extension CoordinatorLoop {
    func serve(_ request: ServingRequest, _ ticket: ClientTicket) {
        switch request {
        case .model: reply(ticket, Self.reply { try ReplyCoding.wire(process.servingModel) })
        case .lease(let request): lease(request, ticket)
        case .endLease:
            leases.end(ticket.peer)
            reply(ticket, ClientReply(outcome: .success(json: Array("{}".utf8))))
            releaseHeld()
        case .question(let query): question(query, ticket)
        case .attention(let digest): attention(digest, ticket)
        case .adapter(let name): sendAdapter(name, ticket, unknown: .stale)
        }
    }

    private static func reply(_ body: () throws -> [UInt8]) -> ClientReply {
        do {
            return ClientReply(outcome: .success(json: try body()))
        } catch {
            return ClientReply(ClientError(of: error))
        }
    }

    // MARK: leases

    private func lease(_ request: LeaseRequest, _ ticket: ClientTicket) {
        guard leasesAreRecorded else { return recordLeases(before: request, ticket) }
        switch leases.take(request, from: ticket.peer, at: now.milliseconds) {
        case .success(let grant): reply(ticket, Self.reply { try ReplyCoding.wire(grant) })
        case .failure(.overtaken): finished(ticket)
        case .failure(.disobedient):
            reply(ticket, ClientReply(ClientError(code: .stale, message: "what was revoked was not obeyed in time")))
        case .failure(.full):
            reply(ticket, ClientReply(ClientError(code: .busy, message: "as many gateways answer as may")))
        }
        releaseHeld()
    }

    /// A coordinator that comes after this one has to know that somebody may answer, before anybody may.
    private func recordLeases(before request: LeaseRequest, _ ticket: ClientTicket) {
        let inbox = process.inbox
        onLedger { service in
            inbox.post(.leasesRecorded(request, ticket, service.result { try service.ledger.recordLeases() }))
        }
    }

    func leasesRecorded(_ request: LeaseRequest, _ ticket: ClientTicket, _ result: Result<Void, ClientError>) {
        switch result {
        case .success:
            leasesAreRecorded = true
            lease(request, ticket)
        case .failure(let error): reply(ticket, ClientReply(error))
        }
    }

    // MARK: what is taken away

    /// Tells everybody with a lease.
    func revoke(_ inputs: ForgottenInputs) {
        let (revocation, peers) = leases.revoke(inputs, at: now.milliseconds)
        guard !peers.isEmpty, let frames = try? revocation.frames() else { return }
        for peer in peers { give(peer, frames) }
    }

    /// Adapters that may not answer any more for other reasons than a forget: their file is damaged, there are newer ones.
    func revokeReplacedAdapters() {
        // Also while nobody has a lease: who had one, and gets another, holds adapters.
        guard leasesAreRecorded else { return }
        let active = activeAdapters
        let gone = leasedAdapters.subtracting(active)
        leasedAdapters = active
        guard !gone.isEmpty else { return }
        revoke(ForgottenInputs(people: [], items: [], adapters: gone, changesReferences: false))
    }

    /// Answers with what was read beside the ledger's thread, which shows commits before they are known here.
    func answerBehindCommits(_ ticket: ClientTicket, _ reply: ClientReply) {
        guard ticket.tellsOfForgetting else { return answer(ticket, reply) }
        let inbox = process.inbox
        onLedger { service in
            service.note(ticket, refusal: reply.refusal)
            inbox.post(.reply(ticket, reply))
        }
    }

    /// Whether it has to wait until no gateway can answer from what is forgotten.
    func isHeld(_ ticket: ClientTicket, _ reply: ClientReply) -> Bool {
        ticket.tellsOfForgetting && heldReplies.hold((ticket, reply), leases, at: now.milliseconds)
    }

    func releaseHeld() {
        for (ticket, reply) in heldReplies.release(leases, at: now.milliseconds) { replyAtOnce(ticket, reply) }
    }

    // MARK: what gateways compute with

    private func question(_ query: ClientRequest.QueryRequest, _ ticket: ClientTicket) {
        guard leases.holds(ticket.peer, at: now.milliseconds) else { return refuseWithoutLease(ticket) }
        let inbox = process.inbox
        onLedger { service in
            // What is forgotten from here on is told after this.
            let material = service.result { try service.material(query) }
            inbox.post(.material(ticket, material))
        }
    }

    func material(_ ticket: ClientTicket, _ material: Result<QuestionMaterial, ClientError>) {
        if case .success(let made) = material, made.members.contains(where: isWithdrawn) {
            // It was read before the ledger's thread heard of it, and is revoked already or about to be.
            let busy = ClientError(code: .busy, message: "a stage that answered is being taken away; ask again")
            return answer(ticket, ClientReply(busy))
        }
        let (run, version) = (leases.run, leases.version)
        answer(
            ticket,
            Self.reply {
                try ReplyCoding.wire(DatedMaterial(run: run, version: version, material: try material.get()))
            })
    }

    private func isWithdrawn(_ member: QuestionMaterial.Member) -> Bool {
        coordinator.isWithdrawn(member.name, stage: member.stage, of: member.shard)
    }

    private func attention(_ digest: String, _ ticket: ClientTicket) {
        guard leases.holds(ticket.peer, at: now.milliseconds) else { return refuseWithoutLease(ticket) }
        let (inbox, budget) = (process.inbox, budget)
        onLedger { service in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            let rows = service.result { try service.attentionPayloads() }
            let reply: ClientReply =
                switch rows {
                case .success(let rows) where rows.digest == digest:
                    ClientReply(outcome: .success(json: Array("{}".utf8)), payloads: rows.payloads)
                case .success: ClientReply(ClientError(code: .stale, message: "the reference rows are others by now"))
                case .failure(let error): ClientReply(error)
                }
            budget.made(reply, for: ticket)
            inbox.post(.reply(ticket, reply))
        }
    }

    private func refuseWithoutLease(_ ticket: ClientTicket) {
        reply(ticket, ClientReply(ClientError(code: .stale, message: "this needs a lease")))
    }
}

extension ClientTicket {
    /// Whether whoever gets the answer may take it that something is forgotten.
    fileprivate var tellsOfForgetting: Bool {
        ClientRequest.tellingOfForgetting.contains(asked)
    }
}

extension ReplyCoding {
    /// Between a coordinator and its gateways names are as in Swift.
    fileprivate static func wire(_ value: some Encodable) throws -> [UInt8] {
        try WireJSON.encode(value, kind: "reply")
    }
}
