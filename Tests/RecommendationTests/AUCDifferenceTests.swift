import Recommendation
import Testing

@Suite("The difference of two AUCs on the same samples")
struct AUCDifferenceTests {
    private static let labels = [true, true, true, false, false, false]

    @Test("It is the difference of the AUCs, and DeLong's error of it")
    func byHand() throws {
        // AUC 1; and 6/9: the positives 0.9, 0.4, 0.2 stand above 3, 2 and 1 of the negatives 0.3, 0.5, 0.1.
        let better: [Float] = [6, 5, 4, 3, 2, 1]
        let worse: [Float] = [0.9, 0.4, 0.2, 0.3, 0.5, 0.1]
        let found = try #require(AUCDifference(margins: better, over: worse, labels: Self.labels))
        let aucs = [better, worse].map { Metrics(margins: $0, labels: Self.labels).auc ?? 0 }
        #expect(abs(found.difference - (aucs[0] - aucs[1])) < 1e-12 && abs(aucs[1] - 6.0 / 9) < 1e-12)
        // Differences of placements: positives 0, 1/3, 2/3; negatives 1/3, 2/3, 0. Variance of either 1/9, over 3.
        #expect(abs(found.standardError - (2.0 / 27).squareRoot()) < 1e-12)
    }

    @Test("A scoring is not better than itself, and order matters by the sign alone")
    func antisymmetric() throws {
        let one: [Float] = [3, 1, 2, 2, 0, 1]
        let other: [Float] = [1, 2, 3, 3, 2, 1]
        let same = try #require(AUCDifference(margins: one, over: one, labels: Self.labels))
        #expect(same.difference == 0 && same.standardError == 0)
        let there = try #require(AUCDifference(margins: one, over: other, labels: Self.labels))
        let back = try #require(AUCDifference(margins: other, over: one, labels: Self.labels))
        #expect(there.difference == -back.difference && abs(there.standardError - back.standardError) < 1e-15)
    }

    @Test("Too few samples of a label, or a margin that is no number, tell nothing")
    func nothing() {
        #expect(AUCDifference(margins: [1, 2, 3], over: [1, 2, 3], labels: [true, false, false]) == nil)
        #expect(AUCDifference(margins: [], over: [], labels: []) == nil)
        var bad = [Float](repeating: 0, count: 6)
        bad[2] = .nan
        #expect(AUCDifference(margins: bad, over: [1, 2, 3, 4, 5, 6], labels: Self.labels) == nil)
    }
}
