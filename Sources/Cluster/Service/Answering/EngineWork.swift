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

extension QueryEngine {
    /// Takes in what came meanwhile and computes one pass.
    ///
    /// - Returns: whether there is more to compute.
    func perform(_ works: [EngineWork], telling tell: (News) -> Void) -> Bool {
        for work in works {
            switch work {
            case .begin(let number, let asker, let job):
                do throws(ClientError) {
                    try begin(number, of: asker, job)
                } catch {
                    tell(.answered(number, .failure(error)))
                }
            case .drop(let number): drop(number)
            case .discard(let adapters): discard(adapters: adapters)
            }
        }
        for news in pass() { tell(news) }
        return !isIdle
    }
}
