import Coordination
import Foundation
import Ledger
import Messages
import Recommendation
import Unlearning
import ZeroMQ

/// What is made of everybody's data: read by the ledger's thread a portion at a time, and made on a thread of its own, so that no
/// acknowledgement waits for either. What was made of data that is not as it was is not told.
extension CoordinatorLoop {
    /// How often something is read anew because the data changed while it was being made.
    private static let attempts = 3

    func loadSplit(_ operation: String, _ split: Split, _ parameters: SampleAdaptiveAttention.Parameters?) {
        let inbox = process.inbox
        Self.build(process) { service, done in
            service.withSplit(split) { service, parts in
                done(service, parts.flatMap { parts in service.result { try service.material(parts, parameters) } })
            }
        } make: {
            $0.loaded
        } tell: {
            inbox.post(.event(.splitLoaded(operation: operation, $0)))
        }
    }

    func computeWeights(_ operation: String, _ request: WeightsRequest) {
        let inbox = process.inbox
        Self.build(process) { service, done in
            service.withAttentionParts(request.parameters, done)
        } make: {
            let table = try $0.parts.table()
            return try WeightsBuilding(request, table, parameters: $0.parameters, members: $0.members).weights()
        } tell: {
            inbox.post(
                .event(.weights(operation: operation, generation: request.generation, request.scope, $0)))
        }
    }

    func buildEvaluation(_ operation: String, _ scores: EvaluationScores) {
        let inbox = process.inbox
        Self.build(process) { service, done in
            service.withSplit(scores.split) { service, parts in
                let attention = service.result { try service.preparedAttention(scores.parameters) }
                done(
                    service,
                    parts.flatMap { parts in
                        attention.map { EvaluationBuilding(scores: scores, parts: parts, attention: $0) }
                    })
            }
        } make: {
            try $0.report()
        } tell: {
            inbox.post(.event(.evaluation(operation: operation, $0)))
        }
    }

    func loadComparison(_ operation: String, _ options: ComparisonOptions) {
        let inbox = process.inbox
        let cases = ComparisonBuilding(configuration: process.settings.configuration, options: options)
        Self.build(process) { service, done in
            service.withComparison(done)
        } make: {
            try cases.loaded($0)
        } tell: {
            inbox.post(.event(.comparisonLoaded(operation: operation, $0)))
        }
    }

    /// Reads, makes something of it and tells it. Where the data changed meanwhile that is done once more; in the end whoever is
    /// told of old data hears of the change from the ledger as well, and begins anew.
    private static func build<Read: Sendable, Made: Sendable>(
        _ process: CoordinatorProcess, attempt: Int = 1,
        read: @escaping @Sendable (LedgerService, @escaping (LedgerService, Result<Read, ClientError>) -> Void) -> Void,
        make: @escaping @Sendable (Read) throws -> Made,
        tell: @escaping @Sendable (Result<Made, ClientError>) -> Void
    ) {
        process.store.run { service in
            read(service) { service, found in
                let revision = service.ledger.peopleRevision
                report(service, to: process.inbox)
                process.building.post {
                    let made = result { try make(found.get()) }
                    process.store.run { service in
                        guard revision == service.ledger.peopleRevision || attempt >= attempts else {
                            return build(process, attempt: attempt + 1, read: read, make: make, tell: tell)
                        }
                        tell(made)
                    }
                }
            }
        }
    }

    /// A case of a comparison for a worker.
    func hand(
        case position: Int, _ options: ComparisonOptions, basis: String, as task: TaskID, to peer: PeerID,
        version: UInt8
    ) {
        let cases = ComparisonBuilding(configuration: process.settings.configuration, options: options)
        hand(task, to: peer, version: version) { service, done in
            service.withComparison(done)
        } message: {
            .compare(task: task, try cases.makeCase(at: position, basis: basis, $0))
        }
    }

    /// All training prompts for a worker.
    func hand(everythingAs task: TaskID, _ specification: TrainingSpecification, to peer: PeerID, version: UInt8) {
        hand(task, to: peer, version: version) { service, done in
            let reading = service.ledger.trainingPromptsReading()
            service.goOnReading({ try $0.ledger.goOn(with: reading) }, then: done)
        } message: { prompts in
            .replay(
                task: task, specification: specification, prompts: prompts.flatMap(\.self).sorted { $0.id < $1.id })
        }
    }

    /// A task whose message takes long to make: others need not wait until it is made.
    private func hand<Read: Sendable>(
        _ task: TaskID, to peer: PeerID, version: UInt8,
        read: @escaping @Sendable (LedgerService, @escaping (LedgerService, Result<Read, ClientError>) -> Void) -> Void,
        message: @escaping @Sendable (Read) throws -> CoordinatorMessage
    ) {
        let (inbox, building, store) = (process.inbox, process.building, process.store)
        onLedger { service in
            read(service) { service, found in
                let revision = service.ledger.peopleRevision
                building.post {
                    let made = Self.result {
                        let message = try message(found.get())
                        guard message.since <= version else { throw ClientError.unknownWork }
                        return try Parcel(message)
                    }
                    store.run { service in
                        let isCurrent = revision == service.ledger.peopleRevision
                        inbox.post(.built(peer, task, isCurrent ? made : .failure(ClientError.dataIsStale)))
                    }
                }
            }
        }
        inbox.post(.dispatched(peer, nil, nil))
    }

    func built(_ peer: PeerID, _ task: TaskID, _ made: Result<Parcel, ClientError>) {
        // It was called back meanwhile, and the worker was told so.
        guard coordinator.isUnderWay(task) else { return }
        switch made {
        case .success(let parcel): send(peer, parcel)
        case .failure(let error): handle(.undelivered(peer: peer, task: task, error))
        }
    }

    func tellLineage(_ ticket: ClientTicket) {
        Self.tellLineage(ticket, process, budget, attempt: 1)
    }

    private static func tellLineage(
        _ ticket: ClientTicket, _ process: CoordinatorProcess, _ budget: ReplyBudget, attempt: Int
    ) {
        let inbox = process.inbox
        process.store.run { service in
            guard budget.mayMake(ticket) else { return inbox.post(.reply(ticket, ClientReply(ReplyBudget.refusal))) }
            service.withLineage { service, parts in
                // Among so many forgets it is written down at once.
                if attempt >= attempts {
                    let body = result { try ReplyCoding.encode(try parts.get().reply()) }
                    return end(ticket, body, service, inbox, budget)
                }
                process.building.post {
                    let body = result { try ReplyCoding.encode(try parts.get().reply()) }
                    process.store.run { service in
                        if case .success(let parts) = parts, parts.revision != service.ledger.forgetRevision {
                            return tellLineage(ticket, process, budget, attempt: attempt + 1)
                        }
                        end(ticket, body, service, inbox, budget)
                    }
                }
            }
        }
    }

    private static func end(
        _ ticket: ClientTicket, _ body: Result<Data, ClientError>, _ service: LedgerService,
        _ inbox: Mailbox<CoordinatorProcess.Input>, _ budget: ReplyBudget
    ) {
        let reply = ClientReply(body)
        service.publishFacts()
        service.note(ticket, refusal: reply.refusal)
        budget.made(reply, for: ticket)
        inbox.post(.reply(ticket, reply))
        report(service, to: inbox)
    }

    private static func result<Value>(_ body: () throws -> Value) -> Result<Value, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ClientError(of: error))
        }
    }
}

extension ClientError {
    static let unknownWork = ClientError(
        code: .protocolVersion, message: "the worker's release does not know this work")
}
