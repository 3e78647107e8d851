import LanguageModels
import Unlearning

/// The adapters that may answer, by shard.
public struct AdaptersReply: Codable, Sendable {
    public struct Adapter: Sendable, Equatable {
        public var shard: Int
        public var training: TrainingReport
        /// ISO 8601, UTC. Of a corrected adapter: since when it answers.
        public var created: String
        /// SHA-256 of the specification, as certificates name it.
        public var specificationDigest: String

        package init(shard: Int, training: TrainingReport, created: String, specificationDigest: String) {
            self.shard = shard
            self.training = training
            self.created = created
            self.specificationDigest = specificationDigest
        }

        /// Content name.
        public var name: String { training.adapter }
        /// apa, e2urec or ifru.
        public var method: String { training.method.rawValue }
    }

    public var model: ModelConfiguration
    public var adapters: [Adapter]

    public init(model: ModelConfiguration, adapters: [Adapter]) {
        self.model = model
        self.adapters = adapters
    }
}

extension TrainingReport {
    /// What made the adapter.
    public var method: ForgetMethod {
        correction.map { ForgetMethod($0.provenance.method) } ?? .apa
    }
}

/// The report stands under `training`; its fields, under the names that they had before, beside it.
extension AdaptersReply.Adapter: Codable {
    private enum CodingKeys: String, CodingKey {
        case shard, training, created, specificationDigest
        case name, method, exact, base, lora, prompts, manifest, steps, tokens, seconds, computeSeconds, epochLosses
        case approximation, specification
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        shard = try container.decode(Int.self, forKey: .shard)
        training = try container.decode(TrainingReport.self, forKey: .training)
        created = try container.decode(String.self, forKey: .created)
        specificationDigest = try container.decode(String.self, forKey: .specificationDigest)
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(shard, forKey: .shard)
        try container.encode(training, forKey: .training)
        try container.encode(created, forKey: .created)
        try container.encode(specificationDigest, forKey: .specificationDigest)
        try container.encode(name, forKey: .name)
        try container.encode(method, forKey: .method)
        try container.encode(training.isExact, forKey: .exact)
        try container.encode(training.specification.base, forKey: .base)
        try container.encode(training.specification.lora, forKey: .lora)
        try container.encode(training.prompts, forKey: .prompts)
        try container.encode(training.manifest, forKey: .manifest)
        try container.encode(training.steps, forKey: .steps)
        try container.encode(training.tokens, forKey: .tokens)
        try container.encode(training.seconds, forKey: .seconds)
        try container.encode(training.computeSeconds, forKey: .computeSeconds)
        try container.encode(training.epochLosses, forKey: .epochLosses)
        try container.encodeIfPresent(training.correction, forKey: .approximation)
        try container.encode(training.specification, forKey: .specification)
    }
}
