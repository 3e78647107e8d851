import LanguageModels
import Recommendation
import Unlearning

/// What a cluster is, decided at its first start and recorded in its ledger.
///
/// Everything that determines an adapter or a stored embedding (shards, partition, seed, specification, embedding source)
/// is immutable afterwards: starting with another value is `LedgerError.configurationChanged`. `rule`, `whenNoAdapter`, `whileRetraining`,
/// `method` and `corrections` may change from start to start.
public struct ClusterConfiguration: Codable, Hashable, Sendable {
    /// What answers a query while no clean adapter is left.
    public enum WhenNoAdapter: String, Codable, CaseIterable, Hashable, Sendable {
        /// The base model without adapters.
        case base
        /// Nothing: the query is refused with a clear error.
        case refuse
    }

    /// What of a shard that a forget request touched answers until it is trained again.
    public enum WhileRetraining: String, Codable, CaseIterable, Hashable, Sendable {
        /// What its training had come to before the first slice that was touched, if a worker kept that.
        case stage
        /// Nothing.
        case quarantine
    }

    public var shards: Int
    public var partition: PartitionMethod
    public var seed: UInt64
    public var training: TrainingSpecification
    public var rule: AggregationRule
    public var embedding: EmbeddingSource
    public var whenNoAdapter: WhenNoAdapter
    public var whileRetraining: WhileRetraining
    /// Of forget requests that name none.
    public var method: ForgetMethod
    public var corrections: CorrectionConfiguration
    /// Validation prompts that adapters are compared on, at most; counts at the first start.
    public var referencePrompts: Int

    public static let usualReferencePrompts = 2000

    public init(
        training: TrainingSpecification, embedding: EmbeddingSource, shards: Int = 4,
        partition: PartitionMethod = .semantic, seed: UInt64 = 0, rule: AggregationRule = .nonDecomposed,
        whenNoAdapter: WhenNoAdapter = .base, whileRetraining: WhileRetraining = .stage, method: ForgetMethod = .apa,
        corrections: CorrectionConfiguration = CorrectionConfiguration(),
        referencePrompts: Int = ClusterConfiguration.usualReferencePrompts
    ) {
        self.referencePrompts = referencePrompts
        self.training = training
        self.embedding = embedding
        self.shards = shards
        self.partition = partition
        self.seed = seed
        self.rule = rule
        self.whenNoAdapter = whenNoAdapter
        self.whileRetraining = whileRetraining
        self.method = method
        self.corrections = corrections
    }

    /// Also reads what was recorded before there were corrections.
    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            training: try container.decode(TrainingSpecification.self, forKey: .training),
            embedding: try container.decode(EmbeddingSource.self, forKey: .embedding),
            shards: try container.decode(Int.self, forKey: .shards),
            partition: try container.decode(PartitionMethod.self, forKey: .partition),
            seed: try container.decode(UInt64.self, forKey: .seed),
            rule: try container.decode(AggregationRule.self, forKey: .rule),
            whenNoAdapter: try container.decode(WhenNoAdapter.self, forKey: .whenNoAdapter),
            whileRetraining: try container.decodeIfPresent(WhileRetraining.self, forKey: .whileRetraining) ?? .stage,
            method: try container.decode(ForgetMethod.self, forKey: .method),
            corrections: try container.decodeIfPresent(CorrectionConfiguration.self, forKey: .corrections)
                ?? CorrectionConfiguration(),
            referencePrompts: try container.decodeIfPresent(Int.self, forKey: .referencePrompts)
                ?? Self.usualReferencePrompts)
    }

    /// Whether IFRU's preparation is made for every shard ahead of any request.
    public var preparesInfluence: Bool { method == .ifru || corrections.preparesInfluence }
}

extension ClusterConfiguration {
    /// - Throws: `LedgerError.configurationChanged` for the first immutable value that differs.
    package func requireSame(as given: ClusterConfiguration) throws {
        func same<Value: Equatable>(_ field: String, _ value: (ClusterConfiguration) -> Value) throws {
            let (old, new) = (value(self), value(given))
            guard old == new else {
                throw LedgerError.configurationChanged(field: field, recorded: "\(old)", given: "\(new)")
            }
        }
        try same("shards") { $0.shards }
        try same("partition") { $0.partition.rawValue }
        try same("seed") { $0.seed }
        try same("base model") { $0.training.base }
        try same("precision") { $0.training.precision.rawValue }
        try same("rank") { $0.training.lora.rank }
        try same("alpha") { $0.training.lora.alpha }
        try same("targets") { $0.training.lora.targets.map(\.rawValue).joined(separator: ",") }
        try same("training seed") { $0.training.seed }
        try same("epochs") { $0.training.epochs }
        try same("batch") { $0.training.batch }
        try same("learning rate") { $0.training.learningRate }
        try same("warm-up steps") { $0.training.warmupSteps }
        try same("weight decay") { $0.training.weightDecay }
        try same("schedule of the learning rate") { $0.training.schedule.rawValue }
        try same("dropout") { $0.training.dropout }
        try same("share held out") { $0.training.heldOut }
        try same("slices") { $0.training.slices }
        try same("averaging") { $0.training.averaging.rawValue }
        try same("embedding layer") { $0.embedding.layer }
        try same("embedding pooling") { $0.embedding.pooling.rawValue }
        // Whatever a later version adds to the specification is covered too.
        try same("training") { $0.training }
    }
}
