import Messages
import Unlearning

/// What a prepared attention depends on.
struct AttentionSubject: Equatable {
    private struct Adapter: Equatable {
        var shard: Int
        var name: String
        var isExact: Bool
        /// A training may come to the very bytes of the stage that it began at.
        var stage: Int?
        var missingMargins: Int
    }

    private var adapters: [Adapter]
    private var validation: String
    private var missingEmbeddings: Int
    private var parameters: SampleAdaptiveAttention.Parameters?

    init(_ snapshot: LedgerSnapshot, _ parameters: SampleAdaptiveAttention.Parameters?) {
        adapters = snapshot.shards.compactMap { shard in
            shard.adapter.map {
                Adapter(
                    shard: shard.index, name: $0.name, isExact: $0.corrected == nil, stage: $0.stage,
                    missingMargins: $0.missingMargins)
            }
        }
        validation = snapshot.validationDigest
        missingEmbeddings = snapshot.missingEmbeddings
        self.parameters = parameters
    }

    /// Whether the weights depend on the query, and so on reference rows.
    var looksAtRows: Bool { parameters.map { $0.tau != 0 } ?? false }
}
