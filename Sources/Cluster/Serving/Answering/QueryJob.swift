import Crypto
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// A query with everything it needs from the ledger. Its prompts are made where it is computed.
package struct QueryJob: Sendable {
    package var request: ClientRequest.QueryRequest
    /// Candidates, in the order asked, or the whole catalogue but what the user has rated.
    package var items: [Item]
    package var history: QueryHistory
    package var builder: PromptBuilder
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
        request: ClientRequest.QueryRequest, items: [Item], history: QueryHistory, builder: PromptBuilder,
        attention: PreparedAttention, absentShards: [Int], adapterDirectory: String,
        adapterKeys: [String: SymmetricKey], layout: AdapterLayout, rule: AggregationRule, embedding: EmbeddingSource,
        whenNoAdapter: ClusterConfiguration.WhenNoAdapter
    ) {
        self.request = request
        self.items = items
        self.history = history
        self.builder = builder
        self.attention = attention
        self.absentShards = absentShards
        self.adapterDirectory = adapterDirectory
        self.adapterKeys = adapterKeys
        self.layout = layout
        self.rule = rule
        self.embedding = embedding
        self.whenNoAdapter = whenNoAdapter
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
