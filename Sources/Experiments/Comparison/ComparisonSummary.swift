import Foundation
import Unlearning

/// Mean, standard deviation and median over the rows that have a value.
public struct Statistic: Codable, Hashable, Sendable {
    public var mean: Double
    /// Of a sample (n − 1); 0 for a single value.
    public var deviation: Double
    public var median: Double
    public var count: Int

    /// nil without a value.
    public init?(_ values: [Double]) {
        let values = values.filter(\.isFinite).sorted()
        guard !values.isEmpty else { return nil }
        count = values.count
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        median = 0.5 * (values[(values.count - 1) / 2] + values[values.count / 2])
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
}

/// One method under one kind of forgetting, over seeds and requests.
public struct ComparisonSummary: Codable, Hashable, Sendable {
    public var kind: ForgetKind
    public var method: ComparisonMethod
    /// Rows, and those of them that failed.
    public var rows: Int
    public var failed: Int
    public var failure: String?
    /// Rows whose correction a cluster would refuse, and why the first of them; their numbers count.
    public var refused: Int
    public var refusal: String?
    /// Over the whole forget set, and over its deleted and its rebuilt prompts apart.
    public var jensenShannon: Statistic?
    public var deletedJensenShannon: Statistic?
    public var rebuiltJensenShannon: Statistic?
    public var symmetrisedKullbackLeibler: Statistic?
    public var euclidean: Statistic?
    public var membership: Statistic?
    public var auc: Statistic?
    public var accuracy: Statistic?
    public var logLoss: Statistic?
    public var spilloverAuc: Statistic?
    public var spilloverLogLoss: Statistic?
    public var coreLogLoss: Statistic?
    public var randomLogLoss: Statistic?
    public var edgeLogLoss: Statistic?
    public var trainingSeconds: Statistic?
    public var preparationSeconds: Statistic?
    public var requestSeconds: Statistic?
    public var speedup: Statistic?
    public var scoredTokens: Statistic?
    public var trainedTokens: Statistic?
    public var parameters: Statistic?

    init(kind: ForgetKind, method: ComparisonMethod, rows: [ComparisonRow]) {
        self.kind = kind
        self.method = method
        self.rows = rows.count
        failed = rows.count { $0.failure != nil }
        failure = rows.lazy.compactMap(\.failure).first
        refused = rows.count { $0.refused != nil }
        refusal = rows.lazy.compactMap(\.refused).first
        func statistic(_ value: (ComparisonRow) -> Double?) -> Statistic? { Statistic(rows.compactMap(value)) }
        jensenShannon = statistic { $0.completeness?.divergence.jensenShannon }
        deletedJensenShannon = statistic { $0.completeness?.deleted?.jensenShannon }
        rebuiltJensenShannon = statistic { $0.completeness?.rebuilt?.jensenShannon }
        symmetrisedKullbackLeibler = statistic { $0.completeness?.divergence.symmetrisedKullbackLeibler }
        euclidean = statistic { $0.completeness?.divergence.euclidean }
        membership = statistic { $0.completeness?.membership.auc }
        auc = statistic { $0.utility?.all.auc }
        accuracy = statistic { $0.utility?.all.accuracy }
        logLoss = statistic { $0.utility?.all.logLoss }
        spilloverAuc = statistic { $0.utility?.spillover.auc }
        spilloverLogLoss = statistic { $0.utility?.spillover.logLoss }
        coreLogLoss = statistic { $0.utility?.core.logLoss }
        randomLogLoss = statistic { $0.utility?.random.logLoss }
        edgeLogLoss = statistic { $0.utility?.edge.logLoss }
        trainingSeconds = statistic { $0.effort?.training.seconds }
        preparationSeconds = statistic { $0.effort?.preparation.seconds }
        requestSeconds = statistic { $0.effort?.request.seconds }
        speedup = statistic { $0.effort?.speedup }
        scoredTokens = statistic { $0.effort.map { Double($0.request.scoredTokens) } }
        trainedTokens = statistic { $0.effort.map { Double($0.request.trainedTokens) } }
        parameters = statistic { $0.effort.map { Double($0.parameters) } }
    }
}

/// One method at one point of the sequence, over seeds.
public struct DriftSummary: Codable, Hashable, Sendable {
    public var method: ComparisonMethod
    public var requests: Int
    public var jensenShannon: Statistic?
    /// The same mean with its standard errors.
    public var distance: DistanceEstimate?
    public var auc: Statistic?
    public var requestSeconds: Statistic?
    public var preparationSeconds: Statistic?
    public var failure: String?
    /// Seeds in which a cluster would have refused one of the corrections so far, and why; their numbers count.
    public var refused: Int
    public var refusal: String?
}

extension ComparisonReport {
    /// By kind in the order of the rows, then by method.
    public var summaries: [ComparisonSummary] {
        var kinds: [ForgetKind] = []
        for row in rows where !kinds.contains(row.kind) { kinds.append(row.kind) }
        return kinds.flatMap { kind in
            ComparisonMethod.allCases.compactMap { method in
                let rows = rows.filter { $0.kind == kind && $0.method == method }
                return rows.isEmpty ? nil : ComparisonSummary(kind: kind, method: method, rows: rows)
            }
        }
    }

    /// By method, then by requests.
    public var driftSummaries: [DriftSummary] {
        ComparisonMethod.allCases.flatMap { method in
            let points = sequences.filter { $0.method == method }
            return Set(points.map(\.requests)).sorted().map { requests in
                let points = points.filter { $0.requests == requests }
                return DriftSummary(
                    method: method, requests: requests,
                    jensenShannon: Statistic(points.compactMap { $0.divergence?.jensenShannon }),
                    distance: DistanceEstimate(
                        seeds: points.compactMap { point in
                            point.divergence?.jensenShannon.map { ($0, point.standardError) }
                        }, prompts: points.reduce(0) { $0 + ($1.divergence?.count ?? 0) }),
                    auc: Statistic(points.compactMap { $0.test?.auc }),
                    requestSeconds: Statistic(points.compactMap { $0.request?.seconds }),
                    preparationSeconds: Statistic(points.compactMap { $0.preparation?.seconds }),
                    failure: points.lazy.compactMap(\.failure).first,
                    refused: points.count { $0.refused != nil },
                    refusal: points.lazy.compactMap(\.refused).first)
            }
        }
    }
}
