import Foundation
import LanguageModels
import Recommendation

/// What a comparison of unlearning methods found: one row for each seed, forget request and method.
public struct ComparisonReport: Codable, Hashable, Sendable {
    /// The data of one case.
    public struct CaseSummary: Codable, Hashable, Sendable {
        public var seed: UInt64
        public var data: String
        public var training: Int
        public var validation: Int
        public var test: Int
        public var shards: Int
        public var partition: PartitionMethod
        public var epochs: Int
        /// Prompts whose gradients IFRU's preparation before any request is made of; nil: there was none, or the report is of
        /// an earlier release.
        public var influenceReferences: Int?

        public init(
            seed: UInt64, data: String, training: Int, validation: Int, test: Int, shards: Int,
            partition: PartitionMethod, epochs: Int
        ) {
            self.seed = seed
            self.data = data
            self.training = training
            self.validation = validation
            self.test = test
            self.shards = shards
            self.partition = partition
            self.epochs = epochs
        }
    }

    public var cases: [CaseSummary]
    public var rows: [ComparisonRow]
    public var sequences: [DriftPoint]
    public var attention: [AttentionWeights]
    public var descriptions: [ComparisonDescription]
    /// One for each seed and forget request. nil: a report of an earlier release.
    public var paired: [PairedDistances]?
    /// The same for deleted and for rebuilt prompts apart, where there are any. nil: a report of an earlier release.
    public var parts: [PairedDistances]?
    /// Cases that belong to the comparison and are not in the report (yet); nil: none.
    public var missing: [PlannedCase]?
    /// Why they are missing.
    public var incomplete: String?
    /// Those of them that were tried as often as cases are, in vain; nil: none.
    public var failed: [FailedCase]?

    /// More than any data has; sums of counts from outside stay numbers.
    static let mostPrompts = 1 << 40

    public init(
        cases: [CaseSummary] = [], rows: [ComparisonRow] = [], sequences: [DriftPoint] = [],
        attention: [AttentionWeights] = [], descriptions: [ComparisonDescription] = [],
        paired: [PairedDistances]? = nil, parts: [PairedDistances]? = nil
    ) {
        self.parts = parts
        self.cases = cases
        self.rows = rows
        self.sequences = sequences
        self.attention = attention
        self.descriptions = descriptions
        self.paired = paired
    }

    /// Cases that were given up: they are missing, for the reasons that they have.
    package mutating func take(_ failed: [FailedCase]) {
        guard let last = failed.last else { return }
        self.failed = failed
        missing = failed.map(\.planned)
        incomplete = "\(failed.count == 1 ? "a case" : "\(failed.count) cases") failed again and again: \(last.reason)"
    }

    /// The reports of several cases as one, in the order given.
    public init(merging reports: [ComparisonReport]) {
        self.init(
            cases: reports.flatMap(\.cases), rows: reports.flatMap(\.rows), sequences: reports.flatMap(\.sequences),
            attention: reports.flatMap(\.attention), descriptions: reports.first?.descriptions ?? [],
            paired: Self.merged(reports, \.paired), parts: Self.merged(reports, \.parts))
    }

    private static func merged(
        _ reports: [ComparisonReport], _ list: (ComparisonReport) -> [PairedDistances]?
    ) -> [PairedDistances]? {
        reports.contains { list($0) != nil } ? reports.flatMap { list($0) ?? [] } : nil
    }
}

/// One method after one forget request.
public struct ComparisonRow: Codable, Hashable, Sendable {
    public var seed: UInt64
    public var kind: ForgetKind
    public var batch: Int
    public var method: ComparisonMethod
    /// Prompts of the training that were deleted, rebuilt, and left.
    public var forgotten: Int
    public var rebuilt: Int
    public var retained: Int
    /// Why there is no result; everything below is then nil.
    public var failure: String?
    /// Why a cluster would not publish the correction and trains anew instead; what follows is of the correction as computed. nil:
    /// it would, or the report is of an earlier release.
    public var refused: String?
    public var completeness: Completeness?
    public var utility: Utility?
    public var effort: Effort?

    package init(
        seed: UInt64, kind: ForgetKind, batch: Int, method: ComparisonMethod, forgotten: Int, rebuilt: Int,
        retained: Int, failure: String? = nil, completeness: Completeness? = nil, utility: Utility? = nil,
        effort: Effort? = nil
    ) {
        self.seed = seed
        self.kind = kind
        self.batch = batch
        self.method = method
        self.forgotten = forgotten
        self.rebuilt = rebuilt
        self.retained = retained
        self.failure = failure
        self.completeness = completeness
        self.utility = utility
        self.effort = effort
    }

    /// How far the answers are from Retrain's on the forget set: the training prompts that were deleted, and the old
    /// versions of those that were rebuilt.
    public struct Completeness: Codable, Hashable, Sendable {
        public var divergence: DivergenceSummary
        /// Of the two parts apart; nil: the part has no prompt, or the report is of an earlier release.
        public var deleted: DivergenceSummary?
        public var rebuilt: DivergenceSummary?
        /// Forgotten against test prompts.
        public var membership: MembershipInference

        package init(
            divergence: DivergenceSummary, membership: MembershipInference, deleted: DivergenceSummary? = nil,
            rebuilt: DivergenceSummary? = nil
        ) {
            self.divergence = divergence
            self.deleted = deleted
            self.rebuilt = rebuilt
            self.membership = membership
        }
    }

    /// Quality on test prompts as they are after the forgetting.
    public struct Utility: Codable, Hashable, Sendable {
        public var all: Metrics
        /// Those that were rebuilt.
        public var spillover: Metrics
        /// Of the third of the users with the most interactions, of a random third, and of the third with the fewest.
        public var core: Metrics
        public var random: Metrics
        public var edge: Metrics

        package init(all: Metrics, spillover: Metrics, core: Metrics, random: Metrics, edge: Metrics) {
            self.all = all
            self.spillover = spillover
            self.core = core
            self.random = random
            self.edge = edge
        }
    }

    public struct Effort: Codable, Hashable, Sendable {
        /// Training of what answers before any request.
        public var training: PhaseCost
        /// What the method computes besides, before any request.
        public var preparation: PhaseCost
        public var request: PhaseCost
        /// Adapter parameters that the request may change.
        public var parameters: Int
        /// Retrain's seconds ÷ the request's; nil when the request takes none.
        public var speedup: Double?

        package init(
            training: PhaseCost, preparation: PhaseCost, request: PhaseCost, parameters: Int, speedup: Double? = nil
        ) {
            self.training = training
            self.preparation = preparation
            self.request = request
            self.parameters = parameters
            self.speedup = speedup
        }
    }
}

/// Where a method stands after some of the requests of a sequence.
public struct DriftPoint: Codable, Hashable, Sendable {
    public var seed: UInt64
    public var method: ComparisonMethod
    /// Done so far.
    public var requests: Int
    public var failure: String?
    /// Why a cluster would not have published one of the corrections so far, the first of them; what follows is of the corrections
    /// as computed. nil: it would have published all, or the report is of an earlier release.
    public var refused: String?
    /// From an adapter trained from the beginning on what is left, on everything forgotten or rebuilt so far.
    public var divergence: DivergenceSummary?
    /// Of what is deleted by now, and of the old versions of what is rebuilt, apart; nil: there is none, or the report is of an
    /// earlier release.
    public var deleted: DivergenceSummary?
    public var rebuilt: DivergenceSummary?
    /// Of its mean Jensen–Shannon distance, over these prompts; nil for fewer than two, and in reports of older releases.
    public var standardError: Double?
    /// On the test prompts as they are now.
    public var test: Metrics?
    /// Of all requests so far, and of keeping the preparation up to date.
    public var request: PhaseCost?
    public var preparation: PhaseCost?

    package init(
        seed: UInt64, method: ComparisonMethod, requests: Int, failure: String? = nil,
        divergence: DivergenceSummary? = nil, test: Metrics? = nil, request: PhaseCost? = nil,
        preparation: PhaseCost? = nil
    ) {
        self.seed = seed
        self.method = method
        self.requests = requests
        self.failure = failure
        self.divergence = divergence
        self.test = test
        self.request = request
        self.preparation = preparation
    }
}

/// APA's attention over the test prompts before any request.
public struct AttentionWeights: Codable, Hashable, Sendable {
    public var seed: UInt64
    public var data: String
    public var tau: Double
    public var neighbours: Int
    /// ω of each shard's adapter: `[shards][prompts]`, the prompts sorted by id, the first 500.
    public var weights: [[Double]]

    package init(seed: UInt64, data: String, tau: Double, neighbours: Int, weights: [[Double]]) {
        self.seed = seed
        self.data = data
        self.tau = tau
        self.neighbours = neighbours
        self.weights = weights
    }
}

/// How something in the report is to be read.
public struct ComparisonDescription: Codable, Hashable, Sendable {
    public var name: String
    public var text: String

    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

extension DivergenceSummary {
    /// Whether every number is one.
    package var isComplete: Bool {
        [jensenShannon, symmetrisedKullbackLeibler, euclidean, marginDifference].allSatisfy { $0?.isFinite ?? false }
    }
}

extension ComparisonReport {
    /// Whether every number in it is one; a report from outside may say anything.
    public var isFinite: Bool {
        func fine(_ cost: PhaseCost?) -> Bool { cost.map { $0.seconds.isFinite && $0.seconds >= 0 } ?? true }
        func fine(_ metrics: Metrics?) -> Bool {
            [metrics?.auc, metrics?.accuracy, metrics?.logLoss].allSatisfy { $0?.isFinite ?? true }
        }
        func fine(_ distance: DivergenceSummary?) -> Bool {
            [
                distance?.jensenShannon, distance?.symmetrisedKullbackLeibler, distance?.euclidean,
                distance?.marginDifference,
            ].allSatisfy { $0?.isFinite ?? true } && (0...Self.mostPrompts).contains(distance?.count ?? 0)
        }
        let rowsAreFine = rows.allSatisfy { row in
            let (utility, effort) = (row.utility, row.effort)
            return fine(row.completeness?.divergence) && fine(row.completeness?.deleted)
                && fine(row.completeness?.rebuilt) && row.completeness?.membership.auc?.isFinite ?? true
                && [utility?.all, utility?.spillover, utility?.core, utility?.random, utility?.edge].allSatisfy(fine)
                && fine(effort?.training) && fine(effort?.preparation) && fine(effort?.request)
                && effort?.speedup?.isFinite ?? true
        }
        let pointsAreFine = sequences.allSatisfy {
            fine($0.divergence) && fine($0.deleted) && fine($0.rebuilt) && fine($0.test) && fine($0.request)
                && fine($0.preparation)
                && $0.standardError.map { (0...1).contains($0) } ?? true
        }
        let casesAreFine = cases.allSatisfy { (0...Self.mostPrompts).contains($0.influenceReferences ?? 0) }
        return casesAreFine && rowsAreFine && pointsAreFine
            && ((paired ?? []) + (parts ?? [])).allSatisfy(\.isSound)
            && attention.allSatisfy { $0.tau.isFinite && $0.weights.allSatisfy { $0.allSatisfy(\.isFinite) } }
    }
}
