import LanguageModels
import Recommendation
import Unlearning

/// What a gateway's model must be, so that it answers as the coordinator does.
public struct ServingModel: Codable, Hashable, Sendable {
    /// Digest of the base model.
    public var base: String
    public var precision: TrainingSpecification.Precision
    /// Fingerprint of the coordinator's arithmetic, which every worker has as well; nil: not known.
    public var arithmetic: String?
    public var lora: LoRAConfiguration

    public init(
        base: String, precision: TrainingSpecification.Precision, arithmetic: String?, lora: LoRAConfiguration
    ) {
        self.base = base
        self.precision = precision
        self.arithmetic = arithmetic
        self.lora = lora
    }
}

/// A question with everything it needs from the ledger, but what is known by its content: adapters and reference rows.
public struct QuestionMaterial: Codable, Sendable {
    /// An adapter that may answer.
    public struct Member: Codable, Hashable, Sendable {
        public var shard: Int
        /// Content name.
        public var name: String
        public var exact: Bool
        /// The last slice that a stage was trained on; nil: it is none.
        public var stage: Int?
        /// How many slices there are, of a stage; nil: it is none, or the coordinator is of an older release.
        public var slices: Int?

        public init(shard: Int, name: String, exact: Bool, stage: Int? = nil, slices: Int? = nil) {
            self.stage = stage
            self.slices = slices
            self.shard = shard
            self.name = name
            self.exact = exact
        }
    }

    /// The ledger's number of whom it is about; nil: of nobody in it.
    public var person: Int64?
    /// As the person is called in the ledger; empty: nobody.
    public var user: String
    public var history: [Interaction]
    /// What prompts call the history's items.
    public var titles: [String: String]
    /// Candidates, in the order asked; or of the catalogue, but what the user has rated: all of it, or what was chosen.
    public var items: [Item]
    /// How they were chosen; nil: they were named, or are all that there is.
    public var retrieval: Retrieval?
    public var prompts: PromptConfiguration
    /// By shard.
    public var members: [Member]
    public var parameters: SampleAdaptiveAttention.Parameters
    /// Names the reference rows that the weights rest on; nil: the weights do not depend on the question.
    public var attention: String?
    /// Shards that should have an adapter and have none that may answer.
    public var absentShards: [Int]
    public var rule: AggregationRule
    public var embedding: EmbeddingSource
    public var whenNoAdapter: ClusterConfiguration.WhenNoAdapter

    public init(
        person: Int64?, user: String, history: [Interaction], titles: [String: String], items: [Item],
        prompts: PromptConfiguration, members: [Member], parameters: SampleAdaptiveAttention.Parameters,
        attention: String?, absentShards: [Int], rule: AggregationRule, embedding: EmbeddingSource,
        whenNoAdapter: ClusterConfiguration.WhenNoAdapter, retrieval: Retrieval? = nil
    ) {
        self.retrieval = retrieval
        self.person = person
        self.user = user
        self.history = history
        self.titles = titles
        self.items = items
        self.prompts = prompts
        self.members = members
        self.parameters = parameters
        self.attention = attention
        self.absentShards = absentShards
        self.rule = rule
        self.embedding = embedding
        self.whenNoAdapter = whenNoAdapter
    }
}

/// Material as the coordinator knew it at one moment: with the last revocation before it.
public struct DatedMaterial: Codable, Sendable {
    public var run: String
    public var version: UInt64
    public var material: QuestionMaterial

    public init(run: String, version: UInt64, material: QuestionMaterial) {
        self.run = run
        self.version = version
        self.material = material
    }
}
