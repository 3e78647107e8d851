import Foundation
import Recommendation

/// The losses of E2URec (arXiv 2403.03536) on margins, each with its slope.
///
/// A two-way answer has one degree of freedom, its margin m = logit of "Yes" − logit of "No"; the slope of a loss on the
/// logits is (slope, −slope).
package enum E2URecLosses {
    package struct Value: Hashable, Sendable {
        /// In nats.
        package var loss: Double
        /// ∂loss/∂m of the student.
        package var slope: Double
    }

    /// The margin of the forgetting teacher z_f = z_o − α·ReLU(z_a − z_o), where z are the log-probabilities of the two
    /// answers under the original (o) and the augmented (a) model.
    ///
    /// The paper writes raw logits. A softmax does not see a constant added to both logits, the ReLU of their difference
    /// does: two models with equal answers could have different teachers. Log-probabilities have no such freedom. One of
    /// the two differences is positive, unless the answers agree: that of the answer which the augmented model learnt. It
    /// also follows that an answer of which the original is already certain has next to nothing to gain, and so is hardly
    /// unlearnt.
    package static func forgettingTeacher(original: Double, augmented: Double, alpha: Double) -> Double {
        func teacher(_ sign: Double) -> Double {
            let before = AnswerDivergence.logProbability(margin: sign * original)
            let after = AnswerDivergence.logProbability(margin: sign * augmented)
            return before - alpha * max(after - before, 0)
        }
        return teacher(1) - teacher(-1)
    }

    /// KL(softmax z_f ‖ softmax z_u).
    package static func forget(student: Double, teacher: Double) -> Value {
        Value(
            loss: AnswerDivergence.kullbackLeibler(teacher, student),
            slope: Metrics.probability(margin: student) - Metrics.probability(margin: teacher))
    }

    /// KL(softmax z_o ‖ softmax z_u) + cross-entropy of the label.
    package static func remember(student: Double, original: Double, label: Bool) -> Value {
        let probability = Metrics.probability(margin: student)
        let crossEntropy = -AnswerDivergence.logProbability(margin: label ? student : -student)
        return Value(
            loss: AnswerDivergence.kullbackLeibler(original, student) + crossEntropy,
            slope: (probability - Metrics.probability(margin: original)) + (probability - (label ? 1 : 0)))
    }
}
