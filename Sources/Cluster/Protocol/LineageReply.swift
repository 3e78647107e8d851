import LanguageModels
import Recommendation
import Unlearning

extension QueryReply {
    /// Why the adapters count for an item as they do.
    public struct ExplainedItem: Codable, Sendable, Equatable {
        public struct Weight: Codable, Sendable, Equatable {
            public var shard: Int
            /// ω
            public var weight: Double
            /// Mean error over the neighbours; nil where the weights are equal whatever is asked.
            public var error: Double?
        }

        public var item: String
        /// Id of the prompt that was asked.
        public var prompt: String
        public var weights: [Weight]
        /// Ids of the validation prompts that are most similar, most similar first.
        public var neighbours: [String]
    }
}

/// What an outsider needs to train the adapters again and to weigh them, beside the prompts' texts (`lethe prompts`).
public struct LineageReply: Codable, Sendable {
    public struct Shard: Codable, Sendable {
        public var shard: Int
        /// `ShardManifest.digest`.
        public var manifest: String
        public var prompts: [ShardManifest.Entry]
    }

    public struct Reference: Codable, Sendable {
        /// Prompt id.
        public var id: String
        /// "Yes." is right.
        public var label: Bool
    }

    public struct Margins: Codable, Sendable {
        public var shard: Int
        /// Content name.
        public var adapter: String
        /// logit_yes − logit_no, one for each reference prompt.
        public var margins: [Float]
        /// What the attention makes of them: `SampleAdaptiveAttention.errors`.
        public var errors: [Float]
    }

    /// What determines prompts, shards and weights.
    public struct Settings: Codable, Sendable {
        public var prompts: PromptConfiguration?
        public var partition: PartitionMethod
        public var shards: Int
        /// Of the partition.
        public var seed: UInt64
        public var embedding: EmbeddingSource
        public var rule: AggregationRule
    }

    public var settings: Settings
    public var shards: [Shard]
    /// Validation prompts, sorted by id.
    public var references: [Reference]
    /// Of the adapters that have a margin for all of them.
    public var margins: [Margins]
    /// τ and n in force.
    public var attention: SampleAdaptiveAttention.Parameters
}
