import Recommendation

/// How one pair of parameters did on validation.
public struct AttentionTrial: Codable, Hashable, Sendable {
    public var parameters: SampleAdaptiveAttention.Parameters
    /// Of the weighted margins, leave-one-out; this decides.
    public var logLoss: Double
    /// Of the same margins; nil when a label is missing.
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

    /// Chooses τ and n on validation, without touching a model.
    ///
    /// Joining the adapters' parameters anew for every candidate would cost a forward pass each; the weighted mean of their
    /// margins, Σ ω_k·margin_k, stands for it. A sample is never its own neighbour. Mean log-loss decides: unlike AUC
    /// it uses every sample's margin, so it is the steadier guide on a few hundred of them. Of all candidates the simplest
    /// (smallest τ, then most neighbours) wins that is worse than the best by no more than one standard error of the paired
    /// difference (Breiman et al., 1984): so the weights leave equality only for what is more than chance. Without
    /// samples: τ = 0.
    ///
    /// - Parameters:
    ///   - embeddings: `[samples, dimension]`.
    ///   - margins: `[adapters][samples]`, the validation margins of each adapter.
    ///   - available: false for a quarantined adapter. nil: all may answer.
    /// - Throws: as `init` and `weights`.
    public static func tune(
        ids: [String], embeddings: [Float], dimension: Int, margins: [[Float]], labels: [Bool],
        available: [Bool]? = nil, taus: [Double] = [0, 1, 3, 10, 30, 100, 300, 1000],
        neighbours: [Int] = [5, 10, 20, 50, 100]
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
        var losses: [[Double]] = []
        for candidate in candidates {
            let mixed = zip(scored, nearest).map { sample, nearest in
                let weights = weights(
                    errors: errors, over: nearest.prefix(candidate.neighbours), tau: candidate.tau,
                    available: available)
                return zip(weights, sortedMargins).reduce(0) { $0 + $1.0 * $1.1[sample] }
            }
            let metrics = Metrics(margins: mixed, labels: scoredLabels)
            losses.append(zip(mixed, scoredLabels).map { Metrics.logLoss(margin: Double($0), label: $1) })
            trials.append(
                AttentionTrial(parameters: candidate, logLoss: metrics.logLoss ?? .infinity, auc: metrics.auc))
        }
        let best = trials.indices.min { trials[$0].logLoss < trials[$1].logLoss } ?? 0
        let chosen = trials.indices.first { isAsGood(losses[$0], as: losses[best]) } ?? best
        return (trials[chosen].parameters, trials)
    }

    /// Whether losses are on average no more than one standard error of their paired difference above the best ones.
    private static func isAsGood(_ losses: [Double], as best: [Double]) -> Bool {
        let differences = zip(losses, best).map { $0 - $1 }
        let count = Double(differences.count)
        let mean = differences.reduce(0, +) / count
        let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
        // Rounding alone is no difference.
        return mean <= max((variance / count).squareRoot(), 1e-7)
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
