import LanguageModels
import Messages
import Recommendation
import Unlearning

/// A question while it is computed: how far it is.
struct OpenQuestion {
    let number: QuestionQueue.ComputationID
    let asker: Asker
    let job: QueryJob
    /// Margins of the first items.
    private(set) var margins: [Float] = []
    /// ω `[margins, members]`, row by row.
    private(set) var weights: [Float] = []
    /// Of each margin, how much of the weight was not computed.
    private(set) var leftOut: [Double] = []
    /// Ids of the prompts, where they are to be explained.
    private(set) var prompts: [String] = []
    private(set) var explanations: [SampleAdaptiveAttention.Explanation] = []
    /// Of a ranking, once it was computed: what its weights rest on, and they, `[members]`.
    private var shared: (explanation: SampleAdaptiveAttention.Explanation?, weights: [Float])?
    /// The history as tokens; nil: not made yet.
    private var history: [Int32]?
    private var seconds = 0.0

    init(number: QuestionQueue.ComputationID, asker: Asker, job: QueryJob) {
        self.number = number
        self.asker = asker
        self.job = job
    }

    /// Prompts that are to be computed yet.
    var left: Int { job.items.count - margins.count }

    /// The next prompts as token ids, with a row of weights each.
    struct Portion {
        var ids: [[Int32]]
        /// `[ids, members]`
        var weights: [Float]
        /// With so many tokens all of them and others about the same history begin.
        var history = 0
        /// Of each, how much of the weight is not computed.
        fileprivate var leftOut: [Double] = []
        fileprivate var prompts: [String]
        fileprivate var explanations: [SampleAdaptiveAttention.Explanation]
    }

    /// - Parameter embed: hidden states of prompts, `[prompts, hidden]`.
    mutating func portion(
        _ count: Int, tokenizer: any Tokenizer, context: Int, embed: ([[Int32]], EmbeddingSource) throws -> [Float]
    ) throws -> Portion {
        var portion = try weighedPortion(count, tokenizer: tokenizer, context: context, embed: embed)
        (portion.weights, portion.leftOut) = LargestWeights.chosen(
            portion.weights, members: job.attention.members.count)
        return portion
    }

    /// Whether other questions about the same history weigh the adapters in the same way.
    var sharesWeights: Bool { !job.attention.looksAtQuery || job.isRanking }

    var owner: BeginningCache.Owner? { job.person.map { .init(person: $0, items: job.historyItems) } }

    /// The history's tokens, as far as a prompt begins with them.
    private mutating func historyTokens(
        _ prompt: TrainingPrompt, tokenizer: any Tokenizer, context: Int
    ) throws -> [Int32] {
        if let history { return history }
        let made = try tokenizer.encode(prompt.historyAlone, context: context)
        history = made
        return made
    }

    private mutating func weighedPortion(
        _ count: Int, tokenizer: any Tokenizer, context: Int, embed: ([[Int32]], EmbeddingSource) throws -> [Float]
    ) throws -> Portion {
        let next = job.items[margins.count..<min(job.items.count, margins.count + count)]
        let prompts = next.map { job.builder.queryPrompt(job.history, item: $0).prompt }
        let ids = try prompts.map { try tokenizer.encode($0, context: context) }
        var portion = Portion(ids: ids, weights: [], prompts: explains ? prompts.map(\.id) : [], explanations: [])
        if let first = prompts.first, job.person != nil, sharesWeights {
            let history = try historyTokens(first, tokenizer: tokenizer, context: context)
            portion.history = ids.reduce(history.count) { min($0, TokenTree.sharedLength($1, history)) }
        }
        let attention = job.attention
        guard attention.looksAtQuery, let first = prompts.first else {
            portion.weights = try attention.weights(queries: ids.count, embeddings: [])
            return portion
        }
        guard job.isRanking else {
            let queries = try embed(ids, job.embedding)
            portion.weights = try attention.weights(queries: ids.count, embeddings: queries)
            if explains { portion.explanations = try attention.explanations(embeddings: queries) ?? [] }
            return portion
        }
        if shared == nil {
            // What all candidates share is the user's history: with one aggregate for all of them their common beginning is
            // computed once.
            let history = try tokenizer.encode(first.historyAlone, context: context)
            let query = try embed([history], job.embedding)
            shared = (
                explains ? try attention.explanations(embeddings: query)?.first : nil,
                try attention.weights(queries: 1, embeddings: query)
            )
        }
        portion.weights = Array(repeatElement(shared?.weights ?? [], count: ids.count).joined())
        portion.explanations = shared?.explanation.map { Array(repeatElement($0, count: ids.count)) } ?? []
        return portion
    }

    /// - `seconds`: that this question's part took.
    mutating func computed(_ portion: Portion, _ logits: ArraySlice<AnswerLogits>, seconds: Double) {
        margins += logits.map(\.margin)
        weights += portion.weights
        leftOut += portion.leftOut
        prompts += portion.prompts
        explanations += portion.explanations
        self.seconds += seconds
    }

    // MARK: the answer

    private var explains: Bool { job.request.explain ?? false }

    var reply: QueryReply {
        let members = job.attention.members
        let used = Set(LargestWeights.used(weights, members: members.count))
        var order = Array(margins.indices)
        if let top = job.request.top {
            // Of equal margins the item that comes first in the order of ids.
            order.sort { (margins[$0], job.items[$1].id) > (margins[$1], job.items[$0].id) }
            order = Array(order.prefix(top))
        }
        return QueryReply(
            user: job.request.user,
            items: order.map { index in
                QueryReply.ScoredItem(
                    item: job.items[index].id, title: job.items[index].title,
                    probability: Metrics.probability(margin: Double(margins[index])), margin: Double(margins[index]))
            },
            adapters: members.enumerated().filter { used.contains($0.offset) }.map { index, member in
                let column = stride(from: index, to: weights.count, by: members.count).map { Double(weights[$0]) }
                return .init(
                    shard: member.shard, name: member.name, weight: column.reduce(0, +) / Double(max(1, column.count)),
                    stage: member.stage, slices: member.slices)
            },
            absentShards: job.absentShards, rule: job.rule,
            attention: members.isEmpty
                ? "none" : !job.attention.looksAtQuery ? "equal" : job.isRanking ? "history" : "prompt",
            exact: !members.isEmpty && members.allSatisfy(\.exact), seconds: seconds,
            leftOut: used.count < members.count
                ? .init(
                    shards: members.indices.filter { !used.contains($0) }.map { members[$0].shard },
                    weight: leftOut.reduce(0, +) / Double(max(1, leftOut.count))) : nil,
            explanation: explains ? members.isEmpty ? [] : order.sorted().map(explanation) : nil,
            retrieval: job.retrieval)
    }

    /// ω of an item with what it rests on.
    private func explanation(_ index: Int) -> QueryReply.ExplainedItem {
        let members = job.attention.members
        let basis = explanations.isEmpty ? nil : explanations[index]
        return QueryReply.ExplainedItem(
            item: job.items[index].id, prompt: prompts[index],
            weights: members.indices.map { member in
                QueryReply.ExplainedItem.Weight(
                    shard: members[member].shard, weight: Double(weights[index * members.count + member]),
                    error: basis?.errors[member])
            }, neighbours: basis?.neighbours ?? [])
    }
}
