import Foundation
import Messages
import Serving

/// What the query engine's thread is given to do.
enum EngineWork: Sendable {
    case begin(QuestionQueue.ComputationID, Asker, QueryJob)
    case drop(QuestionQueue.ComputationID)
    /// Adapters that must not answer any more, by content name: they must not stay in memory either.
    case discard(adapters: Set<String>)
}

/// What a question needs, as it is in the ledger.
struct CollectedQuestion: Sendable {
    var job: QueryJob
    var basis: AnswerBasis
}

/// What came of it.
enum EngineNews: Sendable {
    case computed(QuestionQueue.ComputationID, done: Int, of: Int)
    case answered(QuestionQueue.ComputationID, Result<QueryReply, ClientError>)
    case damaged(adapter: String)
}

extension QueryEngine {
    /// Takes in what came meanwhile and computes one pass.
    ///
    /// - Returns: whether there is more to compute.
    func perform(_ works: [EngineWork], telling tell: (EngineNews) -> Void) -> Bool {
        for work in works {
            switch work {
            case .begin(let number, let asker, let job):
                do {
                    try begin(number, of: asker, job)
                } catch {
                    tell(.answered(number, .failure(LedgerService.clientError(error))))
                }
            case .drop(let number): drop(number)
            case .discard(let adapters): discard(adapters: adapters)
            }
        }
        for news in pass() {
            switch news {
            case .computed(let number, let done, let prompts): tell(.computed(number, done: done, of: prompts))
            case .answered(let number, let reply): tell(.answered(number, .success(reply)))
            case .failed(let number, let error):
                if let adapter = (error as? LedgerError)?.damagedAdapter { tell(.damaged(adapter: adapter)) }
                tell(.answered(number, .failure(LedgerService.clientError(error))))
            }
        }
        return !isIdle
    }
}
