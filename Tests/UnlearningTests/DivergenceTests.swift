import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Distances between answers")
struct DivergenceTests {
    /// Straight from the definitions, good for moderate margins.
    private func naive(_ a: Double, _ b: Double) -> (js: Double, kl: Double, symmetric: Double, l2: Double) {
        let p = [1 / (1 + exp(-a)), 1 / (1 + exp(a))]
        let q = [1 / (1 + exp(-b)), 1 / (1 + exp(b))]
        func kl(_ p: [Double], _ q: [Double]) -> Double { zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) } }
        let middle = zip(p, q).map { ($0 + $1) / 2 }
        let l2 = zip(p, q).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        return (0.5 * kl(p, middle) + 0.5 * kl(q, middle), kl(p, q), 0.5 * (kl(p, q) + kl(q, p)), l2)
    }

    @Test(
        "They agree with their definitions",
        arguments: [(0, 0), (1, -1), (0.3, 2.5), (-4, 3), (-2, -2.5), (6, 5)] as [(Double, Double)])
    func definitions(pair: (Double, Double)) {
        let (a, b) = pair
        let expected = naive(a, b)
        #expect(abs(AnswerDivergence.jensenShannon(a, b) - expected.js) < 1e-12)
        #expect(abs(AnswerDivergence.kullbackLeibler(a, b) - expected.kl) < 1e-12)
        #expect(abs(AnswerDivergence.symmetrisedKullbackLeibler(a, b) - expected.symmetric) < 1e-12)
        #expect(abs(AnswerDivergence.euclidean(a, b) - expected.l2) < 1e-12)
    }

    @Test("Huge margins neither overflow nor leave the bounds")
    func extremes() {
        for (a, b) in [(1e4, -1e4), (800, 0), (-800, 800), (1e300, -1e300)] {
            #expect((0...log(2.0)).contains(AnswerDivergence.jensenShannon(a, b)))
            #expect(AnswerDivergence.euclidean(a, b) <= 2.0.squareRoot())
            #expect(AnswerDivergence.kullbackLeibler(a, b) >= 0)
            #expect(AnswerDivergence.symmetrisedKullbackLeibler(a, b) > 0)
        }
        #expect(AnswerDivergence.jensenShannon(1e4, -1e4) == log(2.0))
        // KL of the certain "Yes" from the certain "No" is the log-odds it lacks.
        #expect(AnswerDivergence.kullbackLeibler(1e4, -1e4) == 1e4)
        #expect(AnswerDivergence.jensenShannon(.nan, 0).isNaN)
        #expect(AnswerDivergence.euclidean(.infinity, 0).isNaN)
    }

    @Test("All are zero for equal answers, positive otherwise, and the symmetric ones symmetric")
    func symmetry() {
        for (a, b) in [(0.5, 0.25), (3, -7), (40, 39)] as [(Double, Double)] {
            let distances = [
                AnswerDivergence.jensenShannon, AnswerDivergence.symmetrisedKullbackLeibler, AnswerDivergence.euclidean,
            ]
            for distance in distances {
                #expect(distance(a, a) == 0)
                #expect(distance(a, b) > 0)
                #expect(distance(a, b) == distance(b, a))
            }
        }
        // Close to certainty, differences of probabilities keep their digits.
        let expected = 2.0.squareRoot() * (exp(-39.0) - exp(-40.0))
        #expect(abs(AnswerDivergence.euclidean(40, 39) / expected - 1) < 1e-12)
    }

    @Test("A summary is the mean over prompts, and says nothing when a margin is no number")
    func summary() {
        let summary = DivergenceSummary(margins: [1, 2], reference: [0, 2])
        #expect(summary.count == 2)
        #expect(summary.jensenShannon == AnswerDivergence.jensenShannon(1, 0) / 2)
        #expect(summary.symmetrisedKullbackLeibler == AnswerDivergence.symmetrisedKullbackLeibler(1, 0) / 2)
        #expect(summary.euclidean == AnswerDivergence.euclidean(1, 0) / 2)
        #expect(summary.marginDifference == 0.5)
        #expect(DivergenceSummary(margins: [.nan], reference: [0]).jensenShannon == nil)
        #expect(DivergenceSummary(margins: [], reference: []).euclidean == nil)
    }

    @Test("Membership inference ranks by the loss of the right answer")
    func membership() {
        // Members are sure and right, the others sure and wrong.
        let told = MembershipInference(
            forgottenMargins: [3, -2], forgottenLabels: [true, false], heldOutMargins: [-1, 1, 4],
            heldOutLabels: [true, false, false])
        #expect(told.auc == 1)
        #expect(told.forgotten == 2 && told.heldOut == 3)
        let untold = MembershipInference(
            forgottenMargins: [1, -1], forgottenLabels: [true, true], heldOutMargins: [-1, 1],
            heldOutLabels: [false, false])
        #expect(untold.auc == 0.5)
        // Margins whose losses round to zero still rank.
        let certain = MembershipInference(
            forgottenMargins: [900], forgottenLabels: [true], heldOutMargins: [800], heldOutLabels: [true])
        #expect(certain.auc == 1)
        let empty = MembershipInference(
            forgottenMargins: [], forgottenLabels: [], heldOutMargins: [1], heldOutLabels: [true])
        #expect(empty.auc == nil)
    }
}
