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

    /// The margin of the forgetting teacher z_f = z_o − α·ReLU(z_a − z_o) of the original's (o) and the augmented (a)
    /// model's logits.
    ///
    /// A softmax does not see a constant added to both logits, the ReLU of their difference does: two models with equal answers
    /// could have different teachers. So logits are taken with a mean of zero, as ±m/2. Of the differences ±(m_a − m_o)/2 the ReLU
    /// keeps one, that of the answer which the augmented model learnt, and m_f = m_o − (α/2)·(m_a − m_o).
    ///
    /// Log-probabilities would have no such freedom either, but end at zero: where the original has memorised an answer nothing
    /// is left to gain, and nothing would be unlearnt.
    package static func forgettingTeacher(original: Double, augmented: Double, alpha: Double) -> Double {
        original - 0.5 * alpha * (augmented - original)
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
