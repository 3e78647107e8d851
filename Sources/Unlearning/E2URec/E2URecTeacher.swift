import Foundation
import Recommendation

/// What the student is to answer to the forget set, and when it has followed.
///
/// The paper's α = 2 fits a model that has seen its prompts once or twice. How much there is to step back from depends on how
/// often the original saw them: after many epochs far more, after one next to nothing, where a fixed α overshoots. And by how
/// much the augmented model gains on one prompt or another says little about how much each was memorised: with one α for all,
/// a few answers are turned round and the others stay as sure as they were.
///
/// So, unless α is given, every prompt has its own: the least with which the teacher is no surer of the label than a model that
/// knows how often retained prompts say "Yes" and nothing else. The augmented model was trained towards the label, so that this
/// answer follows without it. Where the original is less sure already, there is nothing to unlearn, and it is its own teacher.
struct E2URecTeacher {
    /// One a forget prompt.
    let margins: [Double]
    /// Mean loss of the labels under the teacher.
    let loss: Double

    /// With the paper's α.
    init(original: [Double], augmented: [Double], labels: [Bool], alpha: Double) {
        margins = zip(original, augmented).map {
            E2URecLosses.forgettingTeacher(original: $0, augmented: $1, alpha: alpha)
        }
        loss = Self.loss(margins, labels)
    }

    /// With an α for each prompt.
    init(original: [Double], labels: [Bool], retained: [Bool]) {
        // One more of either label: a handful of equal ones is no certainty.
        let prior = log(Double(retained.count { $0 } + 1) / Double(retained.count { !$0 } + 1))
        margins = zip(original, labels).map { $1 ? min($0, prior) : max($0, prior) }
        loss = Self.loss(margins, labels)
    }

    /// A student that is so near to the teacher's loss has followed.
    private static let near = 0.9

    /// - Parameter margins: the student's, of all forget prompts.
    func isReached(by margins: [Double], labels: [Bool]) -> Bool { Self.loss(margins, labels) >= Self.near * loss }

    /// Mean cross-entropy, in nats.
    private static func loss(_ margins: [Double], _ labels: [Bool]) -> Double {
        let sum = zip(margins, labels).reduce(0.0) {
            $0 - AnswerDivergence.logProbability(margin: $1.1 ? $1.0 : -$1.0)
        }
        return sum / Double(max(1, margins.count))
    }
}
