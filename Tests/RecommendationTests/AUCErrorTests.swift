import Recommendation
import Testing

@Suite("How sure an AUC is")
struct AUCErrorTests {
    @Test("The standard error is Hanley's and McNeil's")
    func published() throws {
        // 45 of 50 × 50 pairs lost by ten negatives above all positives: AUC 0.8.
        let margins = (0..<50).map { _ in Float(1) } + (0..<10).map { _ in Float(2) } + (0..<40).map { _ in Float(0) }
        let metrics = Metrics(margins: margins, labels: (0..<100).map { $0 < 50 })
        #expect(metrics.auc == 0.8)
        // Q1 = 0.8 / 1.2, Q2 = 1.28 / 1.8: (0.16 + 49 × 0.026667 + 49 × 0.071111) / 2500
        let variance: Double = (0.16 + 49 * (0.8 / 1.2 - 0.64) + 49 * (1.28 / 1.8 - 0.64)) / 2500
        #expect(abs(try #require(metrics.aucStandardError) - variance.squareRoot()) < 1e-12)
        #expect(metrics.tellsFromChance == true)
    }

    @Test("Few prompts in perfect order, and many in none, do not tell a model from chance")
    func chance() {
        #expect(Metrics(margins: [1, 0], labels: [true, false]).tellsFromChance == false)
        let metrics = Metrics(margins: [Float](repeating: 0, count: 400), labels: (0..<400).map { $0 % 2 == 0 })
        #expect(metrics.auc == 0.5 && metrics.tellsFromChance == false)
    }

    @Test("Without AUC there is no error")
    func oneLabel() {
        let metrics = Metrics(margins: [1, 2], labels: [true, true])
        #expect(metrics.aucStandardError == nil && metrics.tellsFromChance == nil)
    }
}
