import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// How reply bodies are written: snake case, sorted keys.
public enum ReplyCoding {
    /// As it travels inside of the cluster, where times are seconds since 2001: clients of releases before read nothing else.
    public static func encode(_ value: some Encodable) throws -> Data { try encoder.encode(value) }

    /// For whoever is not of the cluster: times are text, ISO 8601.
    public static func show(_ value: some Encodable) throws -> Data {
        let encoder = encoder
        encoder.dateEncodingStrategy = .shown
        return try encoder.encode(value)
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }

    /// Times in either form.
    public static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            if let seconds = try? container.decode(Double.self) {
                return Date(timeIntervalSinceReferenceDate: seconds)
            }
            guard let date = Date(iso8601: try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no time in ISO 8601")
            }
            return date
        }
        return try decoder.decode(type, from: data)
    }
}

/// The answer to a request that goes on as an operation: its `report.id` is what `operation` takes.
public struct AcceptedReply: Codable, Sendable, Equatable {
    public var report: OperationReport

    public init(report: OperationReport) {
        self.report = report
    }
}

/// The body of an `operation` reply: the report, and once it is done what the operation came to.
public struct OperationReply<Result: Codable & Sendable>: Codable, Sendable {
    public var report: OperationReport
    public var result: Result?

    public init(report: OperationReport, result: Result?) {
        self.report = report
        self.result = result
    }
}

/// P(like) of items for a user, and what the answer rests on.
public struct QueryReply: Codable, Sendable, Equatable {
    public struct ScoredItem: Codable, Sendable, Equatable {
        public var item: String
        public var title: String
        /// Two-way probability of "Yes".
        public var probability: Double
        /// Logit of "Yes" minus logit of "No".
        public var margin: Double

        public init(item: String, title: String, probability: Double, margin: Double) {
            self.item = item
            self.title = title
            self.probability = probability
            self.margin = margin
        }
    }

    /// An adapter that took part.
    public struct WeightedAdapter: Codable, Sendable, Equatable {
        public var shard: Int
        /// Content name.
        public var name: String
        /// ω, averaged over the items.
        public var weight: Double
        /// It is a stage, trained on the slices up to this one; nil: trained on all.
        public var stage: Int?
        /// How many slices there are, of a stage; nil: it is none, or who answers is of an older release.
        public var slices: Int?

        public init(shard: Int, name: String, weight: Double, stage: Int? = nil, slices: Int? = nil) {
            self.stage = stage
            self.slices = slices
            self.shard = shard
            self.name = name
            self.weight = weight
        }
    }

    /// Adapters that were not computed since they have next to no weight.
    public struct LeftOut: Codable, Sendable, Equatable {
        public var shards: [Int]
        /// Share of the weights that they and others left out have, averaged over the items.
        public var weight: Double

        public init(shards: [Int], weight: Double) {
            self.shards = shards
            self.weight = weight
        }
    }

    /// Empty: the question brought a history along.
    public var user: String
    /// Best first for a ranking; else in the order asked.
    public var items: [ScoredItem]
    public var adapters: [WeightedAdapter]
    /// Shards whose adapters are in quarantine or missing and therefore took no part.
    public var absentShards: [Int]
    public var rule: AggregationRule
    /// What the attention looked at: "prompt" (each item's own prompt), "history" (the user's history, one aggregate for
    /// all candidates), "equal" (nothing: every adapter has the same weight), "none" (no adapter took part: the base model
    /// answered).
    public var attention: String
    /// True when every adapter that took part comes from exact training.
    public var exact: Bool
    public var seconds: Double
    /// nil: every adapter that may answer was computed, for one item at least.
    public var leftOut: LeftOut?
    /// When asked for: of each item that is answered, ω and what it rests on.
    public var explanation: [ExplainedItem]?
    /// How candidates were chosen of the catalogue; nil: they were named, or all of it was ranked.
    public var retrieval: Retrieval?

    public init(
        user: String, items: [ScoredItem], adapters: [WeightedAdapter], absentShards: [Int], rule: AggregationRule,
        attention: String, exact: Bool, seconds: Double, leftOut: LeftOut? = nil,
        explanation: [ExplainedItem]? = nil, retrieval: Retrieval? = nil
    ) {
        self.retrieval = retrieval
        self.leftOut = leftOut
        self.explanation = explanation
        self.user = user
        self.items = items
        self.adapters = adapters
        self.absentShards = absentShards
        self.rule = rule
        self.attention = attention
        self.exact = exact
        self.seconds = seconds
    }
}

/// What an import did, and the prompts there are now.
public struct ImportReply: Codable, Sendable, Equatable {
    public var outcome: ImportOutcome
    public var prompts: SplitCounts
    /// Prompts of these whose answer is "Yes."; nil in replies stored before this was counted.
    public var likes: SplitCounts?
    /// Shards all of whose prompts have the same answer.
    public var shardsOfOneLabel: [Int]?

    public init(
        outcome: ImportOutcome, prompts: SplitCounts, likes: SplitCounts? = nil, shardsOfOneLabel: [Int]? = nil
    ) {
        self.outcome = outcome
        self.prompts = prompts
        self.likes = likes
        self.shardsOfOneLabel = shardsOfOneLabel
    }
}

/// A forget request: as accepted, or once it is finished with its certificate.
public struct ForgetReply: Codable, Sendable {
    public var outcome: ForgetOutcome
    /// nil until every touched shard has a clean adapter.
    public var certificate: Certificate?
    /// Copies on workers that were away and are not confirmed gone, as of now; they are dropped when these come back.
    public var unconfirmed: [UnconfirmedCopy]
    /// The touched shards' adapters now.
    public var retrained: [AdaptersReply.Adapter]
    /// Signed additions to the certificate, oldest first.
    public var supplements: [Supplement]

    public init(
        outcome: ForgetOutcome, certificate: Certificate? = nil, unconfirmed: [UnconfirmedCopy] = [],
        retrained: [AdaptersReply.Adapter] = [], supplements: [Supplement] = []
    ) {
        self.supplements = supplements
        self.outcome = outcome
        self.certificate = certificate
        self.unconfirmed = unconfirmed
        self.retrained = retrained
    }
}

/// Quality of everything that can answer, on the prompts of one split.
public struct EvaluateReply: Codable, Sendable {
    public struct Variant: Codable, Sendable, Equatable {
        /// For tables: "APA(ND)", "shard 2", "base model".
        public var name: String
        /// nil when the split holds one label only.
        public var auc: Double?
        /// Of `auc`, after Hanley and McNeil (1982).
        public var aucStandardError: Double?
        /// Whether `auc` is two standard errors or more away from one half.
        public var tellsFromChance: Bool?
        public var accuracy: Double?
        public var logLoss: Double?
        /// Prompt tokens a second that the workers reached, each with its own threads.
        public var tokensPerSecond: Double
        /// By how much the AUC is above the base model's on the same prompts, paired. nil: of the base model itself, with fewer
        /// than two prompts of a label, or of a coordinator of an older release.
        public var aboveBase: AUCDifference?

        public init(name: String, _ metrics: Metrics, tokensPerSecond: Double, aboveBase: AUCDifference? = nil) {
            self.aboveBase = aboveBase
            self.name = name
            auc = metrics.auc
            aucStandardError = metrics.aucStandardError
            tellsFromChance = metrics.tellsFromChance
            accuracy = metrics.accuracy
            logLoss = metrics.logLoss
            self.tokensPerSecond = tokensPerSecond
        }
    }

    public var split: String
    public var prompts: Int
    public var tau: Double
    public var neighbours: Int
    /// True when every shard's adapter comes from exact training.
    public var exact: Bool
    public var variants: [Variant]
    /// Seconds spent in training the adapter on all data, with `--compare`.
    public var comparisonSeconds: Double?
    /// The shards and adapters that were measured; nil: the coordinator is of an older release.
    public var measured: [Measured]?

    public struct Measured: Codable, Sendable, Equatable {
        public var shard: Int
        /// Content name.
        public var adapter: String
        /// It was a stage, trained on so many of `slices` slices; nil: trained on all, or corrected.
        public var stage: Int?
        public var slices: Int?

        public init(shard: Int, adapter: String, stage: Int? = nil, slices: Int? = nil) {
            self.shard = shard
            self.adapter = adapter
            self.stage = stage
            self.slices = slices
        }
    }

    public init(
        split: String, prompts: Int, tau: Double, neighbours: Int, exact: Bool, variants: [Variant],
        comparisonSeconds: Double?, measured: [Measured]? = nil
    ) {
        self.measured = measured
        self.split = split
        self.prompts = prompts
        self.tau = tau
        self.neighbours = neighbours
        self.exact = exact
        self.variants = variants
        self.comparisonSeconds = comparisonSeconds
    }
}

/// What `status` shows: the logic's report and the ledger's numbers, side by side in one object.
public struct StatusReply: Codable, Equatable, Sendable {
    public var report: StatusReport
    public var statistics: LedgerStatistics
    /// τ and n in force.
    public var attention: SampleAdaptiveAttention.Parameters
    /// Raw Ed25519 public key (32 bytes) that certificates are verified with.
    public var certificateKey: Data
    /// nil: the coordinator is of an older release.
    public var questions: QuestionCounts?
    /// Paths of folders of keys that were put aside when others were accepted, and are not known to be gone: they open what was
    /// sealed with them. nil: there are none, or the coordinator is of an older release.
    public var keysPutAside: [String]?

    private enum CodingKeys: String, CodingKey { case statistics, attention, certificateKey, questions, keysPutAside }

    public init(
        report: StatusReport, statistics: LedgerStatistics, attention: SampleAdaptiveAttention.Parameters,
        certificateKey: Data, questions: QuestionCounts? = nil, keysPutAside: [String] = []
    ) {
        self.keysPutAside = keysPutAside.isEmpty ? nil : keysPutAside
        self.certificateKey = certificateKey
        self.questions = questions
        self.report = report
        self.statistics = statistics
        self.attention = attention
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        report = try StatusReport(from: decoder)
        statistics = try container.decode(LedgerStatistics.self, forKey: .statistics)
        attention = try container.decode(SampleAdaptiveAttention.Parameters.self, forKey: .attention)
        certificateKey = try container.decode(Data.self, forKey: .certificateKey)
        questions = try container.decodeIfPresent(QuestionCounts.self, forKey: .questions)
        keysPutAside = try container.decodeIfPresent([String].self, forKey: .keysPutAside)
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try report.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(statistics, forKey: .statistics)
        try container.encode(attention, forKey: .attention)
        try container.encode(certificateKey, forKey: .certificateKey)
        try container.encodeIfPresent(questions, forKey: .questions)
        try container.encodeIfPresent(keysPutAside, forKey: .keysPutAside)
    }
}
