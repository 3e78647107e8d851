import Foundation
import LanguageModels
import Recommendation
import ZeroMQ

extension CoordinatorLoop {
    func perform(_ action: CoordinatorAction) {
        let inbox = process.inbox
        switch action {
        case .send(let peer, let message):
            switch message {
            case .cancel, .release:
                // Behind the dispatches that were asked for before it: those wait for the ledger.
                process.store.run { _ in
                    guard let frames = try? message.frames() else { return }
                    inbox.post(.send(peer, frames))
                }
            default: send(peer, message)
            }
        case .dispatch(let peer, let dispatch):
            process.store.run { service in
                do {
                    inbox.post(.send(peer, try service.message(for: dispatch).frames()))
                } catch {
                    inbox.post(
                        .event(
                            .undelivered(peer: peer, task: dispatch.task, LedgerService.clientError(error))))
                }
            }
        case .reply(let ticket, let reply): self.reply(ticket, with: reply)
        case .ledger(let id, let command):
            process.store.run { service in
                let outcome = service.perform(command, at: Date())
                inbox.post(.event(.ledger(id, outcome)))
                // Data that changed under a stale write must become known, or the same write is made again.
                if case .failed(let error) = outcome, error.code == LedgerOutcome.stale,
                    let snapshot = try? service.ledger.snapshot()
                {
                    inbox.post(.event(.ledgerChanged(snapshot)))
                }
            }
        case .loadMissing(let rows, let limit):
            process.store.run { service in
                inbox.post(.event(.missing(rows, service.result { try service.missing(rows, limit: limit) })))
            }
        case .loadSplit(let operation, let split, let parameters):
            process.store.run { service in
                inbox.post(
                    .event(.splitLoaded(operation: operation, service.result { try service.load(split, parameters) })))
            }
        case .loadComparison(let operation, let options):
            process.store.run { service in
                let loaded = service.result { try service.loadComparison(options) }
                inbox.post(.event(.comparisonLoaded(operation: operation, loaded)))
            }
        case .loadForgetShards(let operation, let request):
            process.store.run { service in
                let shards = service.result { try service.forgetShards(operation: operation, request: request) }
                inbox.post(.event(.forgetShards(operation: operation, shards)))
            }
        case .computeWeights(let operation, let request):
            process.store.run { service in
                let weights = service.result { try service.weights(request) }
                inbox.post(.event(.weights(operation: operation, request.scope, weights)))
            }
        case .buildEvaluation(let operation, let scores):
            process.store.run { service in
                inbox.post(
                    .event(.evaluation(operation: operation, service.result { try service.evaluation(scores) })))
            }
        case .log(let line): logger.info("\(line)")
        }
    }

    private func reply(_ ticket: ClientTicket, with reply: CoordinatorReply) {
        let inbox = process.inbox
        process.store.run { service in
            inbox.post(.reply(ticket, service.reply(reply)))
        }
    }
}

extension LedgerService {
    func result<Value>(_ body: () throws -> Value) -> Result<Value, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(Self.clientError(error))
        }
    }

    /// The reply as it goes over the wire, with what only the ledger knows.
    func reply(_ reply: CoordinatorReply) -> ClientReply {
        do {
            return ClientReply(outcome: .success(json: Array(try body(of: reply))))
        } catch {
            return ClientReply(Self.clientError(error))
        }
    }

    private func body(of reply: CoordinatorReply) throws -> Data {
        switch reply {
        case .failure(let error): throw error
        case .forgetAccepted(_, let outcome): return try ReplyCoding.encode(ForgetReply(outcome: outcome))
        case .status(let report):
            let attention = try preparedAttention()
            return try ReplyCoding.encode(
                StatusReply(report: report, statistics: try ledger.statistics(), attention: attention.parameters))
        case .operation(let report, nil):
            return try ReplyCoding.encode(OperationReply<String>(report: report, result: nil))
        case .operation(let report, .forget(let evidence)?):
            return try ReplyCoding.encode(
                OperationReply(report: report, result: try forgetReply(request: report.id, evidence)))
        case .operation(let report, .verification(let verification)?):
            let result = try verifyReply(verification, operation: report.id)
            return try ReplyCoding.encode(OperationReply(report: report, result: result))
        case .operation(let report, .comparison(let comparison)?):
            return try ReplyCoding.encode(OperationReply(report: report, result: comparison))
        case .operation(let report, .evaluation(let json)?):
            let result = try ReplyCoding.decode(EvaluateReply.self, from: Data(json))
            return try ReplyCoding.encode(OperationReply(report: report, result: result))
        }
    }
}
