import Foundation

/// How well margins (logit of "Yes" minus logit of "No") agree with labels.
public struct Metrics: Codable, Hashable, Sendable {
    public var count: Int
    /// Area under the ROC curve, ties counted half (midranks); nil when one of the two labels does not occur.
    public var auc: Double?
    /// Of the AUC, from it and the number of either label alone: J. A. Hanley and B. J. McNeil, "The meaning and use of the
    /// area under a receiver operating characteristic (ROC) curve", Radiology 143 (1982), 29–36. nil without AUC.
    public var aucStandardError: Double?
    /// Whether the AUC lies two standard errors or more from one half: of the larger one of its own and that of a model
    /// that guesses, since the former is zero where few prompts happen to be in perfect order. nil without AUC.
    public var tellsFromChance: Bool?
    /// Share of prompts whose margin has the label's sign; a margin of zero says "No". nil without prompts.
    public var accuracy: Double?
    /// Mean of −log of the probability of the right answer, in nats, each probability at least 1e-15. nil without prompts.
    public var logLoss: Double?

    public init(count: Int, auc: Double?, accuracy: Double?, logLoss: Double?) {
        self.count = count
        self.auc = auc
        self.accuracy = accuracy
        self.logLoss = logLoss
    }

    /// A margin that is not a number makes every metric nil. `margins` and `labels` must be equally long.
    public init(margins: [Float], labels: [Bool]) {
        precondition(margins.count == labels.count, "every margin needs a label")
        self.init(count: margins.count, auc: nil, accuracy: nil, logLoss: nil)
        guard !margins.isEmpty, !margins.contains(where: \.isNaN) else { return }
        auc = Self.auc(margins: margins, labels: labels)
        if let auc {
            let likes = labels.count { $0 }
            let error = Self.standardError(auc: auc, positives: likes, negatives: labels.count - likes)
            let chance = Self.standardError(auc: 0.5, positives: likes, negatives: labels.count - likes)
            aucStandardError = error
            tellsFromChance = abs(auc - 0.5) >= 2 * max(error, chance)
        }
        let pairs = zip(margins, labels)
        accuracy = Double(pairs.count { ($0 > 0) == $1 }) / Double(count)
        logLoss = pairs.reduce(0) { $0 + Self.logLoss(margin: Double($1.0), label: $1.1) } / Double(count)
    }

    /// The logistic function: the two-way probability of "Yes".
    public static func probability(margin: Double) -> Double {
        // exp of a negative number only, so that nothing overflows.
        let small = exp(-abs(margin))
        return margin >= 0 ? 1 / (1 + small) : small / (1 + small)
    }

    /// −log of the probability of the right answer, in nats, at most −log 1e-15.
    public static func logLoss(margin: Double, label: Bool) -> Double {
        let signed = label ? margin : -margin
        return min(max(-signed, 0) + log1p(exp(-abs(signed))), -log(1e-15))
    }

    private static func standardError(auc: Double, positives: Int, negatives: Int) -> Double {
        // That two positives, or two negatives, are both on the right side of one of the others.
        let two = (auc / (2 - auc), 2 * auc * auc / (1 + auc))
        let variance =
            auc * (1 - auc) + Double(positives - 1) * (two.0 - auc * auc) + Double(negatives - 1) * (two.1 - auc * auc)
        return (max(0, variance) / (Double(positives) * Double(negatives))).squareRoot()
    }

    /// The Mann–Whitney statistic over midranks.
    private static func auc(margins: [Float], labels: [Bool]) -> Double? {
        let positives = labels.count { $0 }
        let negatives = labels.count - positives
        guard positives > 0, negatives > 0 else { return nil }
        let order = margins.indices.sorted { margins[$0] < margins[$1] }
        var rankSum = 0.0
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, margins[order[end]] == margins[order[start]] { end += 1 }
            let midrank = Double(start + 1 + end) / 2
            rankSum += midrank * Double(order[start..<end].count { labels[$0] })
            start = end
        }
        let least = Double(positives) * Double(positives + 1) / 2
        return (rankSum - least) / (Double(positives) * Double(negatives))
    }
}
