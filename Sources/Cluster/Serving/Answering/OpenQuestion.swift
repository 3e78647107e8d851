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
    /// Ids of the prompts, where they are to be explained.
    private(set) var prompts: [String] = []
    private(set) var explanations: [SampleAdaptiveAttention.Explanation] = []
    /// Of a ranking, once it was computed: what its weights rest on, and they, `[members]`.
    private var shared: (explanation: SampleAdaptiveAttention.Explanation?, weights: [Float])?
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
        fileprivate var prompts: [String]
        fileprivate var explanations: [SampleAdaptiveAttention.Explanation]
    }

    /// - Parameter embed: hidden states of prompts, `[prompts, hidden]`.
    mutating func portion(
        _ count: Int, tokenizer: any Tokenizer, context: Int, embed: ([[Int32]], EmbeddingSource) throws -> [Float]
    ) throws -> Portion {
        let next = job.items[margins.count..<min(job.items.count, margins.count + count)]
        let prompts = next.map { job.builder.queryPrompt(job.history, item: $0).prompt }
        let ids = try prompts.map { try tokenizer.encode($0, context: context) }
        var portion = Portion(ids: ids, weights: [], prompts: explains ? prompts.map(\.id) : [], explanations: [])
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
        prompts += portion.prompts
        explanations += portion.explanations
        self.seconds += seconds
    }

    // MARK: the answer

    private var explains: Bool { job.request.explain ?? false }

    var reply: QueryReply {
        let members = job.attention.members
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
            adapters: members.enumerated().map { index, member in
                let column = stride(from: index, to: weights.count, by: members.count).map { Double(weights[$0]) }
                return .init(
                    shard: member.shard, name: member.name, weight: column.reduce(0, +) / Double(max(1, column.count)))
            },
            absentShards: job.absentShards, rule: job.rule,
            attention: members.isEmpty
                ? "none" : !job.attention.looksAtQuery ? "equal" : job.isRanking ? "history" : "prompt",
            exact: !members.isEmpty && members.allSatisfy(\.exact), seconds: seconds,
            explanation: explains ? members.isEmpty ? [] : order.sorted().map(explanation) : nil)
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
