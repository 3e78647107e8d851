import Crypto
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// Where the engine finds adapters.
package enum AdapterPlace: Sendable {
    /// Files `<content name>.safetensors` of a folder, with their keys.
    case files(directory: String, keys: [String: SymmetricKey])
    /// What it was given to hold.
    case held
}

/// A query with everything it needs from the ledger. Its prompts are made where it is computed.
package struct QueryJob: Sendable {
    package var request: ClientRequest.QueryRequest
    /// Candidates, in the order asked; or of the catalogue, but what the user has rated: all of it, or what was chosen.
    package var items: [Item]
    /// How they were chosen; nil: they were named, or are all that there is.
    package var retrieval: Retrieval?
    package var history: QueryHistory
    package var builder: PromptBuilder
    package var attention: PreparedAttention
    /// Shards that should have an adapter and have none that may answer.
    package var absentShards: [Int]
    package var adapters: AdapterPlace
    package var layout: AdapterLayout
    package var rule: AggregationRule
    package var embedding: EmbeddingSource
    package var whenNoAdapter: ClusterConfiguration.WhenNoAdapter
    /// The ledger's number of whose history it is; nil: nobody's, so that it is not kept.
    package var person: Int64?
    /// The history's items.
    package var historyItems: Set<String>

    package init(
        request: ClientRequest.QueryRequest, items: [Item], history: QueryHistory, builder: PromptBuilder,
        attention: PreparedAttention, absentShards: [Int], adapters: AdapterPlace, layout: AdapterLayout,
        rule: AggregationRule, embedding: EmbeddingSource,
        whenNoAdapter: ClusterConfiguration.WhenNoAdapter, person: Int64? = nil, historyItems: Set<String> = [],
        retrieval: Retrieval? = nil
    ) {
        self.retrieval = retrieval
        self.person = person
        self.historyItems = historyItems
        self.request = request
        self.items = items
        self.history = history
        self.builder = builder
        self.attention = attention
        self.absentShards = absentShards
        self.adapters = adapters
        self.layout = layout
        self.rule = rule
        self.embedding = embedding
        self.whenNoAdapter = whenNoAdapter
    }

    /// - Throws: `RecommendationError` for prompt settings that are none.
    package init(
        _ request: ClientRequest.QueryRequest, _ material: QuestionMaterial, attention: PreparedAttention,
        adapters: AdapterPlace, layout: AdapterLayout
    ) throws {
        let builder = try PromptBuilder(configuration: material.prompts)
        self.init(
            request: request, items: material.items,
            history: builder.queryHistory(user: material.user, interactions: material.history) { material.titles[$0] },
            builder: builder, attention: attention, absentShards: material.absentShards, adapters: adapters,
            layout: layout, rule: material.rule, embedding: material.embedding, whenNoAdapter: material.whenNoAdapter,
            person: material.person, historyItems: Set(material.history.map(\.item)), retrieval: material.retrieval)
    }

    /// Of a ranking the adapters are weighed once, by what all candidates share.
    var isRanking: Bool { request.top != nil }

    /// Jobs of one mixture, whose prompts are answered by the same words, can be computed in one pass.
    var mixture: Mixture {
        Mixture(rule: rule, members: attention.members.map(\.name), frame: builder.frame)
    }

    struct Mixture: Hashable {
        var rule: AggregationRule
        /// Content names.
        var members: [String]
        var frame: PromptFrame?
    }
}
