import LanguageModels
import Recommendation

/// Quality of everything that can answer, on the prompts of one split.
public struct EvaluationReport: Codable, Hashable, Sendable {
    /// What answered.
    public enum Variant: Codable, Hashable, Sendable {
        /// The shards' adapters joined in one forward pass with sample-adaptive weights.
        case aggregate(AggregationRule)
        /// The same, with attention to the user's history alone.
        case aggregateByHistory(AggregationRule)
        /// The same with weights 1/K.
        case equalWeights(AggregationRule)
        /// One shard's adapter alone.
        case shard(Int)
        /// The mean of the margins of all adapters (as SISA joins its shards).
        case meanOfOutputs
        /// The base model without adapter.
        case base
        /// One adapter trained on all data.
        case comparison

        /// For tables: "APA(ND)", "shard 2", "base model".
        public var name: String {
            switch self {
            case .aggregate(let rule): "APA(\(rule.rawValue))"
            case .aggregateByHistory(let rule): "APA(\(rule.rawValue)) by history"
            case .equalWeights(let rule): "equal weights (\(rule.rawValue))"
            case .shard(let shard): "shard \(shard)"
            case .meanOfOutputs: "mean of outputs"
            case .base: "base model"
            case .comparison: "one adapter on all data"
            }
        }
    }

    public struct Entry: Codable, Hashable, Sendable {
        public var variant: Variant
        public var metrics: Metrics

        public init(variant: Variant, metrics: Metrics) {
            self.variant = variant
            self.metrics = metrics
        }

        public init(variant: Variant, margins: [Float], labels: [Bool]) {
            self.init(variant: variant, metrics: Metrics(margins: margins, labels: labels))
        }
    }

    public var split: Split
    public var entries: [Entry]

    public init(split: Split, entries: [Entry]) {
        self.split = split
        self.entries = entries
    }

    public subscript(variant: Variant) -> Metrics? {
        entries.first { $0.variant == variant }?.metrics
    }

    /// The mean of the adapters' margins, prompt by prompt.
    ///
    /// - Parameter margins: `[adapters][prompts]`, rows of one length.
    public static func meanOfOutputs(_ margins: [[Float]]) -> [Float] {
        guard let first = margins.first else { return [] }
        precondition(margins.allSatisfy { $0.count == first.count }, "every adapter needs a margin for every prompt")
        return first.indices.map { prompt in
            Float(margins.reduce(0) { $0 + Double($1[prompt]) } / Double(margins.count))
        }
    }
}
