import Crypto
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// A query with everything it needs from the ledger.
package struct QueryJob: Sendable {
    package var request: ClientRequest.QueryRequest
    /// Candidates, in the order asked, or the whole catalogue but what the user has rated.
    package var items: [Item]
    /// One a candidate.
    package var prompts: [TrainingPrompt]
    package var attention: PreparedAttention
    /// Shards that should have an adapter and have none that may answer.
    package var absentShards: [Int]
    /// Where adapters lie, `<content name>.safetensors`.
    package var adapterDirectory: String
    /// Of the adapters' files, by content name.
    package var adapterKeys: [String: SymmetricKey]
    package var layout: AdapterLayout
    package var rule: AggregationRule
    package var embedding: EmbeddingSource
    package var whenNoAdapter: ClusterConfiguration.WhenNoAdapter

    package init(
        request: ClientRequest.QueryRequest, items: [Item], prompts: [TrainingPrompt], attention: PreparedAttention,
        absentShards: [Int], adapterDirectory: String, adapterKeys: [String: SymmetricKey], layout: AdapterLayout,
        rule: AggregationRule,
        embedding: EmbeddingSource, whenNoAdapter: ClusterConfiguration.WhenNoAdapter
    ) {
        self.request = request
        self.items = items
        self.prompts = prompts
        self.attention = attention
        self.absentShards = absentShards
        self.adapterDirectory = adapterDirectory
        self.adapterKeys = adapterKeys
        self.layout = layout
        self.rule = rule
        self.embedding = embedding
        self.whenNoAdapter = whenNoAdapter
    }
}

/// Answers queries with the coordinator's own decoder, on a thread of its own.
package final class QueryEngine {
    private let tokenizer: any Tokenizer
    private let decoder: any AnswerModel
    /// The adapters of the last query, by content name.
    private var adapters: [String: Adapter] = [:]

    package init(tokenizer: any Tokenizer, decoder: any AnswerModel) {
        self.tokenizer = tokenizer
        self.decoder = decoder
    }

    /// - Throws: `ClientError`; `LedgerError.adapterLost`, `.adapterDamaged` also when the adapter was taken away meanwhile.
    package func answer(_ job: QueryJob) throws -> QueryReply {
        let clock = ContinuousClock()
        let start = clock.now
        let ids = job.prompts.map { tokenizer.encode(prompt: $0.text, context: decoder.configuration.context) }
        let members = job.attention.members
        guard !members.isEmpty || job.whenNoAdapter == .base else {
            throw ClientError(
                code: .noCleanAdapter,
                message: "no adapter may answer at the moment: none is trained, or all are in quarantine; "
                    + "the cluster is configured to refuse then")
        }
        let mixture = try load(job).map { AdapterMixture($0, rule: job.rule) }
        let queries = try mixture == nil ? [] : queries(job, ids: ids)
        let weights = try mixture == nil ? [] : weights(job, queries: queries)
        let logits = try decoder.answerLogits(
            prompts: ids, adapters: mixture, weights: mixture == nil ? nil : weights)
        var scored = zip(job.items, logits).map { item, logits in
            QueryReply.ScoredItem(
                item: item.id, title: item.title, probability: Metrics.probability(margin: Double(logits.margin)),
                margin: Double(logits.margin))
        }
        if let top = job.request.top {
            scored.sort { ($0.margin, $1.item) > ($1.margin, $0.item) }
            scored = Array(scored.prefix(top))
        }
        let elapsed = (clock.now - start).components
        return QueryReply(
            user: job.request.user, items: scored,
            adapters: members.enumerated().map { index, member in
                let column = stride(from: index, to: weights.count, by: members.count).map { Double(weights[$0]) }
                return .init(
                    shard: member.shard, name: member.name, weight: column.reduce(0, +) / Double(max(1, column.count)))
            },
            absentShards: job.absentShards, rule: job.rule,
            attention: members.isEmpty
                ? "none" : !job.attention.looksAtQuery ? "equal" : job.request.top == nil ? "prompt" : "history",
            exact: !members.isEmpty && members.allSatisfy(\.exact),
            seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18,
            explanation: job.request.explain ?? false
                ? try explanation(job, weights: weights, queries: queries).filter { explained in
                    scored.contains { $0.item == explained.item }
                } : nil)
    }

    /// What the attention looks at: `[prompts, hidden]`, or `[1, hidden]` for a ranking; empty where it looks at nothing.
    ///
    /// A ranking looks at what all candidates share, the user's history: with one aggregate for all of them their common
    /// beginning is computed once.
    private func queries(_ job: QueryJob, ids: [[Int32]]) throws -> [Float] {
        guard job.attention.looksAtQuery, let first = job.prompts.first else { return [] }
        guard job.request.top != nil else { return try decoder.embeddings(prompts: ids, source: job.embedding) }
        let history = tokenizer.encode(prompt: first.historyAlone.text, context: decoder.configuration.context)
        return try decoder.embeddings(prompts: [history], source: job.embedding)
    }

    /// ω `[prompts, members]`, row by row.
    private func weights(_ job: QueryJob, queries: [Float]) throws -> [Float] {
        guard job.attention.looksAtQuery, job.request.top != nil else {
            return try job.attention.weights(queries: job.prompts.count, embeddings: queries)
        }
        let row = try job.attention.weights(queries: 1, embeddings: queries)
        return Array(repeatElement(row, count: job.prompts.count).joined())
    }

    /// ω of each item with what it rests on, in the order asked.
    private func explanation(
        _ job: QueryJob, weights: [Float], queries: [Float]
    ) throws -> [QueryReply.ExplainedItem] {
        let members = job.attention.members
        guard !members.isEmpty else { return [] }
        let found = try job.attention.explanations(embeddings: queries)
        return job.items.indices.map { item in
            let basis = found.map { $0[job.request.top == nil ? item : 0] }
            return QueryReply.ExplainedItem(
                item: job.items[item].id, prompt: job.prompts[item].id,
                weights: members.indices.map { member in
                    QueryReply.ExplainedItem.Weight(
                        shard: members[member].shard, weight: Double(weights[item * members.count + member]),
                        error: basis?.errors[member])
                }, neighbours: basis?.neighbours ?? [])
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
