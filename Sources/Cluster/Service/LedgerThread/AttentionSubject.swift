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

    init(
        _ snapshot: LedgerSnapshot, _ parameters: SampleAdaptiveAttention.Parameters?,
        without withheld: WithheldStages
    ) {
        adapters = snapshot.shards.compactMap { shard in
            guard let adapter = shard.adapter,
                !withheld.contain(adapter.name, stage: adapter.stage, of: shard.index)
            else { return nil }
            return Adapter(
                shard: shard.index, name: adapter.name, isExact: adapter.corrected == nil, stage: adapter.stage,
                missingMargins: adapter.missingMargins)
        }
        validation = snapshot.validationDigest
        missingEmbeddings = snapshot.missingEmbeddings
        self.parameters = parameters
    }

    /// Whether the weights depend on the query, and so on reference rows.
    var looksAtRows: Bool { parameters.map { $0.tau != 0 } ?? false }
}
