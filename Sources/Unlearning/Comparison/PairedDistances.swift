import Foundation

/// One of the two kinds of prompts that a forget set is made of.
public enum ForgetPart: String, Codable, CaseIterable, Hashable, Sendable {
    /// Training prompts that the request deletes.
    case deleted
    /// The old versions of those of retained people and items whose history it changes: where its influence spilled over.
    case rebuilt
}

/// How the distances of several methods to Retrain vary together over the prompts of one forget set, Jensen–Shannon, in nats.
///
/// All methods answer the same prompts, and a prompt that is hard for one is hard for another: the error of a difference is that of
/// the differences prompt by prompt, which the covariances give for every two methods, and no distance of a single prompt has to
/// leave the worker for it.
public struct PairedDistances: Codable, Hashable, Sendable {
    public var seed: UInt64
    public var kind: ForgetKind
    public var batch: Int
    /// nil: the whole forget set.
    public var part: ForgetPart?
    /// Prompts of the forget set, or of its part.
    public var prompts: Int
    /// Those that gave an answer to every prompt, in the order of `ComparisonMethod`.
    public var methods: [ComparisonMethod]
    /// By method.
    public var means: [Double]
    /// `[methods][methods]`, of a sample (n − 1); nil for fewer than two prompts.
    public var covariances: [[Double]]?

    /// - `distances`: of each method, prompt by prompt, in one order.
    package init(
        seed: UInt64, kind: ForgetKind, batch: Int, distances: [(method: ComparisonMethod, values: [Double])],
        part: ForgetPart? = nil
    ) {
        self.part = part
        self.seed = seed
        self.kind = kind
        self.batch = batch
        prompts = distances.map(\.values.count).min() ?? 0
        methods = distances.map(\.method)
        let count = prompts
        let means = distances.map { $0.values.reduce(0, +) / Double(max(1, count)) }
        self.means = means
        guard count > 1 else { return }
        let centred = zip(distances, means).map { series, mean in series.values.map { $0 - mean } }
        covariances = centred.map { one in
            centred.map { other in zip(one, other).reduce(0) { $0 + $1.0 * $1.1 } / Double(count - 1) }
        }
    }

    /// The mean of a method's distances, less those of another method if one is given, and the variance of that mean over
    /// prompts; nil: one of them is not there. The variance is nil for fewer than two prompts.
    public func contrast(
        _ method: ComparisonMethod, _ other: ComparisonMethod? = nil
    ) -> (mean: Double, variance: Double?)? {
        guard let first = methods.firstIndex(of: method) else { return nil }
        guard let other else {
            return (means[first], covariances.map { max(0, $0[first][first]) / Double(prompts) })
        }
        guard let second = methods.firstIndex(of: other) else { return nil }
        let variance = covariances.map { $0[first][first] + $0[second][second] - 2 * $0[first][second] }
        return (means[first] - means[second], variance.map { max(0, $0) / Double(prompts) })
    }

    /// Whether all numbers are such as distances below ln 2 can give and every list is as long as it must be; a report from
    /// outside may say anything.
    var isSound: Bool {
        let rows = covariances ?? []
        return (0...ComparisonReport.mostPrompts).contains(prompts) && Set(methods).count == methods.count
            && means.count == methods.count && means.allSatisfy { (0...1).contains($0) }
            && (covariances == nil || (prompts > 1 && rows.count == methods.count))
            && rows.allSatisfy { $0.count == methods.count && $0.allSatisfy { (-1...1).contains($0) } }
    }
}
