import Coordination
import Foundation
import Ledger
import Messages
import Unlearning
import ZeroMQ

/// What is made of everybody's data: read by the ledger's thread a portion at a time, and made on a thread of its own, so that no
/// acknowledgement waits for either. What was made of data that is not as it was is not told.
extension CoordinatorLoop {
    /// How often the lineage is read anew because somebody was forgotten while it was written down.
    private static let lineageAttempts = 3

    func loadComparison(_ operation: String, _ options: ComparisonOptions) {
        let (inbox, building) = (process.inbox, process.building)
        let cases = ComparisonBuilding(configuration: process.settings.configuration, options: options)
        onLedger { service in
            service.withComparison { _, parts in
                building.post {
                    let loaded = Self.result { try cases.loaded(parts.get()) }
                    inbox.post(.event(.comparisonLoaded(operation: operation, loaded)))
                }
            }
        }
    }

    /// A case of a comparison for a worker. Other tasks need not wait until it is made.
    func hand(
        case position: Int, _ options: ComparisonOptions, basis: String, as task: TaskID, to peer: PeerID, version: UInt8
    ) {
        let (inbox, building, store) = (process.inbox, process.building, process.store)
        let cases = ComparisonBuilding(configuration: process.settings.configuration, options: options)
        onLedger { service in
            service.withComparison { _, parts in
                building.post {
                    let made = Self.result {
                        let parts = try parts.get()
                        let message = CoordinatorMessage.compare(
                            task: task, try cases.makeCase(at: position, basis: basis, parts))
                        guard message.since <= version else { throw ClientError.unknownWork }
                        return (parcel: try Parcel(message), revision: parts.revision)
                    }
                    store.run { service in
                        let current = made.flatMap { made in
                            made.revision == service.ledger.peopleRevision
                                ? .success(made.parcel) : .failure(ClientError.comparisonIsStale)
                        }
                        inbox.post(.built(peer, task, current))
                    }
                }
            }
        }
        inbox.post(.dispatched(peer, nil))
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
                if attempt >= lineageAttempts {
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
