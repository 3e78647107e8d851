import Foundation
import Recommendation
import Testing
import Unlearning

@Suite("Evaluation reports")
struct EvaluationTests {
    @Test("The mean of outputs is the mean of the margins, prompt by prompt")
    func meanOfOutputs() {
        #expect(EvaluationReport.meanOfOutputs([[1, -2, 0], [3, 2, 0.5]]) == [2, 0, 0.25])
        #expect(EvaluationReport.meanOfOutputs([]).isEmpty)
    }

    @Test("A report is found by variant and survives its encoding")
    func report() throws {
        let variants: [EvaluationReport.Variant] = [
            .aggregate(.nonDecomposed), .aggregate(.decomposed), .equalWeights(.decomposed), .shard(0), .shard(1),
            .meanOfOutputs, .base, .comparison,
        ]
        let report = EvaluationReport(
            split: .test,
            entries: variants.enumerated().map { index, variant in
                .init(variant: variant, margins: [Float(index), -1, 2], labels: [true, false, true])
            })
        let decoded = try JSONDecoder().decode(EvaluationReport.self, from: JSONEncoder().encode(report))
        #expect(decoded == report)
        #expect(Set(variants.map(\.name)).count == variants.count)
        for (index, variant) in variants.enumerated() {
            #expect(report[variant] == Metrics(margins: [Float(index), -1, 2], labels: [true, false, true]))
        }
        #expect(report[.shard(7)] == nil)
    }
}
