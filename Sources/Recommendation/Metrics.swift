/// How well margins (logit of "Yes" minus logit of "No") agree with labels.
public struct Metrics: Codable, Hashable, Sendable {
    public var count: Int
    /// Area under the ROC curve; nil when one of the two labels does not occur.
    public var auc: Double?
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

    /// Margins that are not numbers make every metric nil.
    public init(margins: [Float], labels: [Bool]) {
        self.init(count: 0, auc: nil, accuracy: nil, logLoss: nil)
    }

    /// The logistic function: the two-way probability of "Yes".
    public static func probability(margin: Double) -> Double { 0 }
}
