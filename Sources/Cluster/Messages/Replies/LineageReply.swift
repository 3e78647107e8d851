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

            package init(shard: Int, weight: Double, error: Double? = nil) {
                self.shard = shard
                self.weight = weight
                self.error = error
            }
        }

        public var item: String
        /// Id of the prompt that was asked.
        public var prompt: String
        public var weights: [Weight]
        /// Ids of the validation prompts that are most similar, most similar first.
        public var neighbours: [String]

        package init(item: String, prompt: String, weights: [Weight], neighbours: [String]) {
            self.item = item
            self.prompt = prompt
            self.weights = weights
            self.neighbours = neighbours
        }
    }
}

/// What an outsider needs to train the adapters again and to weigh them, beside the prompts' texts (`lethe prompts`).
public struct LineageReply: Codable, Sendable {
    public struct Shard: Codable, Sendable {
        public var shard: Int
        /// `ShardManifest.digest`.
        public var manifest: String
        public var prompts: [ShardManifest.Entry]

        package init(shard: Int, manifest: String, prompts: [ShardManifest.Entry]) {
            self.shard = shard
            self.manifest = manifest
            self.prompts = prompts
        }
    }

    public struct Reference: Codable, Sendable {
        /// Prompt id.
        public var id: String
        /// "Yes." is right.
        public var label: Bool

        package init(id: String, label: Bool) {
            self.id = id
            self.label = label
        }
    }

    public struct Margins: Codable, Sendable {
        public var shard: Int
        /// Content name.
        public var adapter: String
        /// logit_yes − logit_no, one for each reference prompt.
        public var margins: [Float]
        /// What the attention makes of them: `SampleAdaptiveAttention.errors`.
        public var errors: [Float]

        package init(shard: Int, adapter: String, margins: [Float], errors: [Float]) {
            self.shard = shard
            self.adapter = adapter
            self.margins = margins
            self.errors = errors
        }
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

        package init(
            prompts: PromptConfiguration? = nil, partition: PartitionMethod, shards: Int, seed: UInt64,
            embedding: EmbeddingSource, rule: AggregationRule
        ) {
            self.prompts = prompts
            self.partition = partition
            self.shards = shards
            self.seed = seed
            self.embedding = embedding
            self.rule = rule
        }
    }

    public var settings: Settings
    public var shards: [Shard]
    /// Validation prompts, sorted by id.
    public var references: [Reference]
    /// Of the adapters that have a margin for all of them.
    public var margins: [Margins]
    /// τ and n in force.
    public var attention: SampleAdaptiveAttention.Parameters

    package init(
        settings: Settings, shards: [Shard], references: [Reference], margins: [Margins],
        attention: SampleAdaptiveAttention.Parameters
    ) {
        self.settings = settings
        self.shards = shards
        self.references = references
        self.margins = margins
        self.attention = attention
    }
}
