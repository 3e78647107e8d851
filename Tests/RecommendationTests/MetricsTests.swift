import Foundation
import Recommendation
import Testing

@Suite("Metrics from margins")
struct MetricsTests {
    @Test("AUC counts the ordered pairs, ties half")
    func aucAgainstPairs() {
        for seed in 0..<20 {
            var random = SeededGenerator(seed: UInt64(seed))
            let count = Int.random(in: 2...60, using: &random)
            // Few distinct values, so that there are ties.
            let margins = (0..<count).map { _ in Float(Int.random(in: -4...4, using: &random)) / 2 }
            var labels = (0..<count).map { _ in Bool.random(using: &random) }
            (labels[0], labels[1]) = (true, false)
            var (pairs, won) = (0.0, 0.0)
            for i in 0..<count where labels[i] {
                for j in 0..<count where !labels[j] {
                    pairs += 1
                    won += margins[i] > margins[j] ? 1 : margins[i] == margins[j] ? 0.5 : 0
                }
            }
            let auc = Metrics(margins: margins, labels: labels).auc
            #expect(auc.map { abs($0 - won / pairs) < 1e-12 } == true)
        }
    }

    @Test("AUC is undefined when a label is missing")
    func aucOfOneClass() {
        let metrics = Metrics(margins: [1, 2], labels: [true, true])
        #expect(metrics.auc == nil)
        #expect(metrics.accuracy == 1)
    }

    @Test("Accuracy takes a margin of zero for No")
    func accuracy() {
        #expect(Metrics(margins: [0, 0, 1, -1], labels: [true, false, true, true]).accuracy == 0.5)
    }

    @Test("Log-loss is the mean of the negative log probability of the answer")
    func logLoss() throws {
        let margins: [Float] = [0.5, -2, 3]
        let labels = [true, false, false]
        let expected = (log(1 + exp(-0.5)) + log(1 + exp(-2.0)) + log(1 + exp(3.0))) / 3
        let found = try #require(Metrics(margins: margins, labels: labels).logLoss)
        #expect(abs(found - expected) < 1e-12)
    }

    @Test("Log-loss of a confident error is bounded")
    func clampedLogLoss() throws {
        let found = try #require(Metrics(margins: [1e30, -.infinity], labels: [false, true]).logLoss)
        #expect(abs(found + log(1e-15)) < 1e-9)
    }

    @Test("No prompts and margins that are not numbers give no metrics")
    func undefined() {
        #expect(Metrics(margins: [], labels: []) == Metrics(count: 0, auc: nil, accuracy: nil, logLoss: nil))
        let broken = Metrics(margins: [1, .nan], labels: [true, false])
        #expect(broken == Metrics(count: 2, auc: nil, accuracy: nil, logLoss: nil))
    }

    @Test("The probability is the logistic function, without overflow")
    func probability() {
        #expect(Metrics.probability(margin: 0) == 0.5)
        #expect(Metrics.probability(margin: 1000) == 1)
        #expect(Metrics.probability(margin: -1000) == 0)
        #expect(abs(Metrics.probability(margin: 2) - 1 / (1 + exp(-2.0))) < 1e-15)
    }
}
