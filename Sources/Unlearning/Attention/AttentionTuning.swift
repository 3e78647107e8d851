import Recommendation

/// How one pair of parameters did on validation.
public struct AttentionTrial: Codable, Hashable, Sendable {
    public var parameters: SampleAdaptiveAttention.Parameters
    /// Of the weighted margins, leave-one-out.
    public var logLoss: Double
    /// Of the same margins; this decides. nil when a label is missing.
    public var auc: Double?

    public init(parameters: SampleAdaptiveAttention.Parameters, logLoss: Double, auc: Double?) {
        self.parameters = parameters
        self.logLoss = logLoss
        self.auc = auc
    }
}

extension SampleAdaptiveAttention {
    /// Validation samples that a trial scores at most; all are neighbours.
    public static let tuningLimit = 2000
    /// Standard errors by which the best candidate must beat equal weights: 5 % for the best of some twenty by chance.
    public static let significance = 3.0

    /// Chooses τ and n on validation, without touching a model.
    ///
    /// Joining the adapters' parameters anew for every candidate would cost a forward pass each; the weighted mean of their
    /// margins, Σ ω_k·margin_k, stands for it. A sample is never its own neighbour. AUC decides, since a recommender
    /// ranks; log-loss would reward weights that mend an adapter's offset and rank worse. The weights leave equality only
    /// when the best candidate beats equal weights by `significance` standard errors of the paired difference (DeLong et
    /// al., 1988): choosing the best of many by less was worse than equality on the movie set's test prompts. Then the
    /// simplest (smallest τ, most neighbours) wins that is within one standard error of the best (Breiman et al., 1984).
    /// Without samples of both labels: τ = 0.
    ///
    /// - `embeddings`: `[samples, dimension]`.
    /// - `margins`: `[adapters][samples]`, the validation margins of each adapter.
    /// - `available`: false for a quarantined adapter. nil: all may answer.
    /// - Throws: as `init` and `weights`.
    public static func tune(
        ids: [String], embeddings: [Float], dimension: Int, margins: [[Float]], labels: [Bool],
        available: [Bool]? = nil, taus: [Double] = [0, 1, 3, 10, 30, 100, 300, 1000],
        neighbours: [Int] = [20, 50, 100]
    ) throws -> (best: Parameters, trials: [AttentionTrial]) {
        guard !margins.isEmpty else { throw UnlearningError.noAdapter }
        let available = try checked(available, adapters: margins.count)
        let neighbourhood = try Neighbourhood(ids: ids, embeddings: embeddings, dimension: dimension)
        guard labels.count == ids.count else {
            throw UnlearningError.wrongShape(what: "the labels", expected: ids.count, found: labels.count)
        }
        for row in margins { try check(row, what: "the margins", samples: ids.count) }
        let candidates = candidates(taus: taus, neighbours: neighbours)
        for candidate in candidates { try candidate.check() }
        guard let simplest = candidates.first else {
            throw UnlearningError.invalidSpecification(reason: "there is no candidate for τ and n")
        }
        guard !ids.isEmpty else { return (Parameters(tau: 0, neighbours: simplest.neighbours), []) }

        let order = neighbourhood.order
        let sortedMargins = margins.map { row in order.map { row[$0] } }
        let sortedLabels = order.map { labels[$0] }
        let errors = sortedMargins.map { Self.errors(margins: $0, labels: sortedLabels) }
        let scored = Self.scored(ids: order.map { ids[$0] })
        let most = candidates.map(\.neighbours).max() ?? 1
        let nearest = scored.map {
            neighbourhood.nearest(to: neighbourhood.row($0), count: most, excluding: $0)
        }
        let scoredLabels = scored.map { sortedLabels[$0] }
        var trials: [AttentionTrial] = []
        var placements: [[Double]] = []
        for candidate in candidates {
            let mixed = zip(scored, nearest).map { sample, nearest in
                let weights = weights(
                    errors: errors, over: nearest.prefix(candidate.neighbours), tau: candidate.tau,
                    available: available)
                return zip(weights, sortedMargins).reduce(0) { $0 + $1.0 * $1.1[sample] }
            }
            let metrics = Metrics(margins: mixed, labels: scoredLabels)
            placements.append(AUCDifference.placements(margins: mixed, labels: scoredLabels))
            trials.append(
                AttentionTrial(parameters: candidate, logLoss: metrics.logLoss ?? .infinity, auc: metrics.auc))
        }
        // The first of equals: the simplest.
        let best = trials.indices.reduce(0) { (trials[$1].auc ?? 0) > (trials[$0].auc ?? 0) ? $1 : $0 }
        func isAsGood(_ trial: Int, within errors: Double) -> Bool {
            Self.isAsGood(placements[trial], as: placements[best], labels: scoredLabels, within: errors)
        }
        if let equal = trials.indices.first(where: { trials[$0].parameters.tau == 0 }),
            isAsGood(equal, within: Self.significance)
        {
            return (trials[equal].parameters, trials)
        }
        let chosen = trials.indices.first { isAsGood($0, within: 1) } ?? best
        return (trials[chosen].parameters, trials)
    }

    /// Whether an AUC is less than another on the same samples by no more than so many standard errors of the difference.
    private static func isAsGood(
        _ placements: [Double], as best: [Double], labels: [Bool], within errors: Double
    ) -> Bool {
        guard let gain = AUCDifference(placements: best, over: placements, labels: labels) else { return true }
        // Rounding alone is no difference.
        return gain.difference <= max(errors * gain.standardError, 1e-7)
    }

    /// Simplest first. τ = 0 occurs once: n does not matter then.
    private static func candidates(taus: [Double], neighbours: [Int]) -> [Parameters] {
        let most = neighbours.max().map { [$0] } ?? []
        return Set(taus).sorted().flatMap { tau in
            (tau == 0 ? most : Set(neighbours).sorted(by: >)).map { Parameters(tau: tau, neighbours: $0) }
        }
    }

    /// Which of the sorted samples are scored: all, or the first by a hash of their ids.
    private static func scored(ids: [String]) -> [Int] {
        guard ids.count > tuningLimit else { return Array(ids.indices) }
        let keys = ids.map { FieldHash.number(["tune", $0]) }
        return ids.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }.prefix(tuningLimit).sorted()
    }
}
