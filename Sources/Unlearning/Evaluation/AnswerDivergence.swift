import Foundation
import Recommendation

/// How far apart two models' answers to one prompt are. Each answers with the distribution (p, 1 − p) over "Yes" and
/// "No", where p is the logistic function of the margin; everything is computed from margins, so that nothing
/// overflows and small probabilities keep their digits.
public enum AnswerDivergence {
    /// Jensen–Shannon divergence in nats, between 0 and ln 2 (Lin 1991):
    /// ½·KL(P ‖ M) + ½·KL(Q ‖ M) with M = ½(P + Q).
    public static func jensenShannon(_ first: Double, _ second: Double) -> Double {
        guard first.isFinite, second.isFinite else { return .nan }
        // Σ over answers of ½·p·ln(p/m) + ½·q·ln(q/m), with ln(p/m) = ln 2 − ln(1 + q/p).
        let log2 = 0.693147180559945309417232121458
        let value = [1.0, -1.0].reduce(0.0) { sum, sign in
            let (p, q) = (sign * first, sign * second)
            let (logP, logQ) = (logProbability(margin: p), logProbability(margin: q))
            return sum + 0.5 * exp(logP) * (log2 - softplus(logQ - logP))
                + 0.5 * exp(logQ) * (log2 - softplus(logP - logQ))
        }
        return min(max(value, 0), log2)
    }

    /// Kullback–Leibler divergence KL(P ‖ Q) in nats.
    public static func kullbackLeibler(_ first: Double, _ second: Double) -> Double {
        guard first.isFinite, second.isFinite else { return .nan }
        let sum = [1.0, -1.0].reduce(0.0) { sum, sign in
            let difference = logProbability(margin: sign * first) - logProbability(margin: sign * second)
            return sum + Metrics.probability(margin: sign * first) * difference
        }
        return max(sum, 0)
    }

    /// ½·(KL(P ‖ Q) + KL(Q ‖ P)) in nats, unbounded. What the code of E2URec (arXiv 2403.03536) calls JSD.
    public static func symmetrisedKullbackLeibler(_ first: Double, _ second: Double) -> Double {
        guard first.isFinite, second.isFinite else { return .nan }
        // KL(P ‖ Q) + KL(Q ‖ P) = (p − q)·(margin of P − margin of Q): exact, and symmetric to the last bit.
        let difference = probabilityDifference(first, second)
        return 0.5 * difference * (first - second)
    }

    /// Euclidean distance √((p − q)² + ((1 − p) − (1 − q))²), between 0 and √2.
    public static func euclidean(_ first: Double, _ second: Double) -> Double {
        guard first.isFinite, second.isFinite else { return .nan }
        return 2.0.squareRoot() * abs(probabilityDifference(first, second))
    }

    /// ln of the logistic function, without cancellation.
    package static func logProbability(margin: Double) -> Double { -softplus(-margin) }

    /// p − q without cancellation when both are close to 1.
    private static func probabilityDifference(_ first: Double, _ second: Double) -> Double {
        first > 0 && second > 0
            ? Metrics.probability(margin: -second) - Metrics.probability(margin: -first)
            : Metrics.probability(margin: first) - Metrics.probability(margin: second)
    }

    /// ln(1 + e^x)
    private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}

/// Means over prompts of the distances between the answers of two models, for example unlearned and retrained.
public struct DivergenceSummary: Codable, Hashable, Sendable {
    public var count: Int
    /// In nats. nil without prompts, or when a margin is not finite; so are the others.
    public var jensenShannon: Double?
    /// In nats; E2URec's "JSD".
    public var symmetrisedKullbackLeibler: Double?
    /// Mean of `AnswerDivergence.euclidean`.
    public var euclidean: Double?
    /// Mean of |margin − margin|.
    public var marginDifference: Double?

    /// `margins` and `reference` must be equally long.
    public init(margins: [Float], reference: [Float]) {
        precondition(margins.count == reference.count, "every margin needs one to be compared with")
        count = margins.count
        guard !margins.isEmpty, margins.allSatisfy(\.isFinite), reference.allSatisfy(\.isFinite) else { return }
        func mean(_ distance: (Double, Double) -> Double) -> Double {
            zip(margins, reference).reduce(0) { $0 + distance(Double($1.0), Double($1.1)) } / Double(margins.count)
        }
        jensenShannon = mean(AnswerDivergence.jensenShannon)
        symmetrisedKullbackLeibler = mean(AnswerDivergence.symmetrisedKullbackLeibler)
        euclidean = mean(AnswerDivergence.euclidean)
        marginDifference = mean { abs($0 - $1) }
    }
}
