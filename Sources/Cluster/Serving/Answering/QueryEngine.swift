import LanguageModels
import Messages
import Unlearning

/// Answers queries with the coordinator's own decoder, on a thread of its own: those that wait, together, pass by pass.
package final class QueryEngine {
    package enum News: Sendable {
        case computed(QuestionQueue.ComputationID, done: Int, of: Int)
        /// An error with code `adapter-damaged` also when the adapter was taken away meanwhile.
        case answered(QuestionQueue.ComputationID, Result<QueryReply, ClientError>)
        /// Content name of an adapter whose file is lost or does not hold what it should.
        case damaged(adapter: String)
    }

    private let tokenizer: any Tokenizer
    private let decoder: any AnswerModel
    /// The adapters of the last pass, by content name.
    private var adapters: [String: Adapter] = [:]
    /// In the order in which it is their turn.
    private var open: [OpenQuestion] = []

    package init(tokenizer: any Tokenizer, decoder: any AnswerModel) {
        self.tokenizer = tokenizer
        self.decoder = decoder
    }

    package var isIdle: Bool { open.isEmpty }

    /// - Throws: what can never be answered.
    package func begin(
        _ number: QuestionQueue.ComputationID, of asker: Asker, _ job: QueryJob
    ) throws(ClientError) {
        guard !job.attention.members.isEmpty || job.whenNoAdapter == .base else {
            throw ClientError(
                code: .noCleanAdapter,
                message: "no adapter may answer at the moment: none is trained, or all are in quarantine; "
                    + "the cluster is configured to refuse then")
        }
        open.append(OpenQuestion(number: number, asker: asker, job: job))
    }

    /// Nobody waits for it any more.
    package func drop(_ number: QuestionQueue.ComputationID) {
        open.removeAll { $0.number == number }
    }

    /// - Parameter names: content names of adapters that must not answer any more.
    package func discard(adapters names: Set<String>) {
        adapters = adapters.filter { !names.contains($0.key) }
    }

    /// Computes prompts of the questions of one mixture, and says what became of each.
    package func pass() -> [News] {
        guard let mixture = open.first?.job.mixture else { return [] }
        let waiting = open.indices.filter { open[$0].job.mixture == mixture }
        let together = PassPlan.inTurn(waiting.map { open[$0].asker }).map { waiting[$0] }
        let shares = PassPlan.shares(of: together.map { open[$0].left })
        let chosen = zip(together, shares).filter { $0.1 > 0 }
        var turns = chosen.map { (question: open[$0.0], share: $0.1) }
        let positions = Set(chosen.map(\.0))
        open = open.indices.filter { !positions.contains($0) }.map { open[$0] }
        do {
            try compute(&turns)
        } catch  where turns.count > 1 {
            // Each shall fail for reasons of its own.
            return turns.flatMap { turn -> [News] in
                var alone = [turn]
                do {
                    try compute(&alone)
                } catch {
                    return failed([turn.question.number], error)
                }
                return alone.map { finish($0.question) }
            }
        } catch {
            return failed(turns.map(\.question.number), error)
        }
        return turns.map { finish($0.question) }
    }

    private func failed(_ numbers: [QuestionQueue.ComputationID], _ error: any Error) -> [News] {
        let answers = numbers.map { News.answered($0, .failure(ClientError(of: error))) }
        // Known before the question is begun again.
        return ((error as? LedgerError)?.damagedAdapter.map { [.damaged(adapter: $0)] } ?? []) + answers
    }

    /// Behind all others if it is not done.
    private func finish(_ question: OpenQuestion) -> News {
        guard question.left > 0 else { return .answered(question.number, .success(question.reply)) }
        open.append(question)
        return .computed(question.number, done: question.job.items.count - question.left, of: question.job.items.count)
    }

    private func compute(_ turns: inout [(question: OpenQuestion, share: Int)]) throws {
        guard let job = turns.first?.question.job else { return }
        let clock = ContinuousClock()
        let start = clock.now
        let mixture = try load(job).map { AdapterMixture($0, rule: job.rule) }
        let portions = try turns.indices.map { turn in
            try turns[turn].question.portion(
                turns[turn].share, tokenizer: tokenizer, context: decoder.configuration.context
            ) { try decoder.embeddings(prompts: $0, source: $1) }
        }
        let logits = try decoder.answering(job.builder.frame, tokenizer).answerLogits(
            prompts: portions.flatMap(\.ids), adapters: mixture,
            weights: mixture == nil ? nil : portions.flatMap(\.weights))
        let seconds = (clock.now - start) / .seconds(1)
        var first = 0
        for (turn, portion) in zip(turns.indices, portions) {
            let part = portion.ids.count
            turns[turn].question.computed(
                portion, logits[first..<(first + part)], seconds: seconds * Double(part) / Double(max(1, logits.count)))
            first += part
        }
    }

    /// The members' adapters, from memory or from their files; nil without members.
    private func load(_ job: QueryJob) throws -> [Adapter]? {
        guard !job.attention.members.isEmpty else {
            adapters = [:]
            return nil
        }
        var present: [String: Adapter] = [:]
        let loaded = try job.attention.members.map { member in
            let adapter = try adapters[member.name] ?? read(member, job)
            present[member.name] = adapter
            return adapter
        }
        // Whatever is no longer among the members may be in quarantine: it must not stay in memory.
        adapters = present
        return loaded
    }

    private func read(_ member: PreparedAttention.Member, _ job: QueryJob) throws -> Adapter {
        let bytes: [UInt8]
        do throws(AdapterFile.Failure) {
            bytes = try AdapterFile.bytes(
                name: member.name, key: job.adapterKeys[member.name], in: job.adapterDirectory)
        } catch {
            throw LedgerError(error, adapter: member.name, shard: member.shard)
        }
        return try Adapter(safetensors: bytes, layout: job.layout)
    }
}
