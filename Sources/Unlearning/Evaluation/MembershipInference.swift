import Recommendation

/// Can an attacker tell by the loss which prompts a model was trained on?
///
/// The loss-threshold attack (Yeom et al., arXiv 1709.01604): a prompt whose right answer has a loss under a threshold is
/// called a member. `auc` sums up all thresholds: the probability that a prompt of the forget set has a smaller loss
/// than a held-out one, ties counted half. 0.5: the two cannot be told apart, as after perfect forgetting when both sets
/// come from one distribution. Above: the forgotten prompts still show. Below: they were pushed away, which shows too.
/// Compare with the value of the retrained model, which need not be 0.5 when the sets differ for other reasons.
public struct MembershipInference: Codable, Hashable, Sendable {
    public var forgotten: Int
    public var heldOut: Int
    /// nil when one of the sets is empty or a margin is not a number.
    public var auc: Double?

    /// Margins and labels of a set must be equally long.
    public init(
        forgottenMargins: [Float], forgottenLabels: [Bool], heldOutMargins: [Float], heldOutLabels: [Bool]
    ) {
        precondition(forgottenMargins.count == forgottenLabels.count && heldOutMargins.count == heldOutLabels.count)
        forgotten = forgottenMargins.count
        heldOut = heldOutMargins.count
        // The loss falls as the margin towards the right answer rises, so that margins rank as losses do, without
        // their rounding.
        let towards = zip(forgottenMargins + heldOutMargins, forgottenLabels + heldOutLabels).map { $1 ? $0 : -$0 }
        let members = [Bool](repeating: true, count: forgotten) + [Bool](repeating: false, count: heldOut)
        auc = Metrics(margins: towards, labels: members).auc
    }
}
