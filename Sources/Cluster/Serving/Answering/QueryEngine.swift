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
        /// A pass has computed prompts of so many tokens.
        case read(tokens: Int)
    }

    private let tokenizer: any Tokenizer
    private let decoder: any AnswerModel
    /// The adapters of the last pass, by content name.
    private var adapters: [String: Adapter] = [:]
    /// Files of adapters that jobs will name, by content name, until they are read.
    private var held: [String: [UInt8]] = [:]
    private var beginnings = BeginningCache()
    /// Of the last question whose prompts began otherwise than those of the one before: whose, and a prompt.
    private var last: (user: String, prompt: [Int32])?
    /// With so many tokens prompts of different people begin; nil: not known.
    private var fixed: Int?
    /// In the order in which it is their turn.
    private var open: [OpenQuestion] = []
    /// Of the prompts that were computed since this was asked last.
    private var tokens = 0

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

    /// Where jobs do not name files: what `bytes` hold is known by its name, so that nothing else can be given for it.
    package func hold(_ name: String, _ bytes: [UInt8]) {
        guard adapters[name] == nil else { return }
        held[name] = bytes
    }

    /// Nothing of it must stay in memory.
    package func forget(_ inputs: ForgottenInputs) {
        adapters = adapters.filter { !inputs.adapters.contains($0.key) }
        held = held.filter { !inputs.adapters.contains($0.key) }
        beginnings.forget(inputs)
        // Tokens of somebody's history.
        (last, fixed) = (nil, nil)
    }

    /// Of nothing that is here it is known whether it may stay.
    package func letGo() {
        (adapters, held) = ([:], [:])
        beginnings.letGo()
        (last, fixed) = (nil, nil)
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

    /// Tokens of the prompts that were computed since the last call.
    package func takeTokens() -> Int {
        defer { tokens = 0 }
        return tokens
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
        let portions = try turns.indices.map { turn in
            try turns[turn].question.portion(
                turns[turn].share, tokenizer: tokenizer, context: decoder.configuration.context
            ) { try decoder.embeddings(prompts: $0, source: $1) }
        }
        let weights = portions.flatMap(\.weights)
        let members = job.attention.members.count
        let used = LargestWeights.used(weights, members: members)
        let mixture = try load(job, used).map { AdapterMixture($0, rule: job.rule) }
        let chosen =
            used.count == members
            ? weights
            : stride(from: 0, to: weights.count, by: members).flatMap { row in used.map { weights[row + $0] } }
        let plan = plan(
            turns.map(\.question), portions,
            .init(rule: job.rule, adapters: used.map { job.attention.members[$0].name }), chosen)
        let (logits, kept) = try decoder.answering(job.builder.frame, tokenizer).answerLogits(
            prompts: portions.flatMap(\.ids), adapters: mixture, weights: mixture == nil ? nil : chosen,
            beginnings: plan.beginnings)
        plan.keep(kept, &beginnings)
        tokens += portions.reduce(0) { $0 + $1.ids.reduce(0) { $0 + $1.count } }
        let seconds = (clock.now - start) / .seconds(1)
        var first = 0
        for (turn, portion) in zip(turns.indices, portions) {
            let part = portion.ids.count
            turns[turn].question.computed(
                portion, logits[first..<(first + part)], seconds: seconds * Double(part) / Double(max(1, logits.count)))
            first += part
        }
    }

    /// What of the prompts' beginnings was computed before, and what is to be kept.
    private func plan(
        _ questions: [OpenQuestion], _ portions: [OpenQuestion.Portion], _ mixture: BeginningCache.Mixture,
        _ weights: [Float]
    ) -> BeginningPlan {
        var plan = BeginningPlan(mixture)
        var first = 0
        for (question, portion) in zip(questions, portions) {
            learnFixed(question, portion)
            let end = first + portion.ids.count * mixture.adapters.count
            plan.add(
                portion.ids, weights: Array(weights[min(first, weights.count)..<min(end, weights.count)]),
                isShared: question.sharesWeights, history: question.owner == nil ? 0 : portion.history,
                owner: question.owner, fixed: fixed, &beginnings)
            first = end
        }
        return plan
    }

    /// Prompts of different people have in common what all have, and now and then a little more.
    private func learnFixed(_ question: OpenQuestion, _ portion: OpenQuestion.Portion) {
        guard let prompt = portion.ids.first else { return }
        let user = question.job.request.user
        defer { last = (user, prompt) }
        guard let last, last.user != user else { return }
        let shared = TokenTree.sharedLength(last.prompt, prompt)
        fixed = min(fixed ?? shared, shared)
    }

    /// Adapters of members, from memory or from their files; nil without any.
    private func load(_ job: QueryJob, _ used: [Int]) throws -> [Adapter]? {
        let members = job.attention.members
        let names = Set(members.map(\.name))
        // Whatever is no longer among the members may be in quarantine: it must not stay in memory.
        adapters = adapters.filter { names.contains($0.key) }
        beginnings.keepOnly(adapters: names)
        guard !used.isEmpty else { return nil }
        return try used.map { index in
            let adapter = try adapters[members[index].name] ?? read(members[index], job)
            adapters[members[index].name] = adapter
            return adapter
        }
    }

    private func read(_ member: PreparedAttention.Member, _ job: QueryJob) throws -> Adapter {
        switch job.adapters {
        case .files(let directory, let keys):
            let bytes: [UInt8]
            do throws(AdapterFile.Failure) {
                bytes = try AdapterFile.bytes(name: member.name, key: keys[member.name], in: directory)
            } catch {
                throw LedgerError(error, adapter: member.name, shard: member.shard)
            }
            return try Adapter(safetensors: bytes, layout: job.layout)
        case .held:
            // Another mixture came between, or it was taken away.
            guard let bytes = held.removeValue(forKey: member.name) else {
                throw ClientError(code: .stale, message: "adapter \(member.name) is not held any more")
            }
            return try Adapter(safetensors: bytes, layout: job.layout)
        }
    }
}
