import Coordination
import Foundation
import LanguageModels
import Messages
import Service
import Serving
import Testing
import Unlearning

@Suite("Which adapters answer, and how they are weighed")
struct PreparedAttentionTests {
    private let specification = TrainingSpecification(base: "base", precision: .f32)

    /// Adapters "a" and "b" on two validation prompts; only "a" has its row.
    private func attention(_ parameters: SampleAdaptiveAttention.Parameters?) throws -> PreparedAttention {
        let table = AttentionTable(
            digests: ["d1", "d2"], ids: ["p1", "p2"], labels: [true, false], embeddings: [1, 0, 0, 1], dimension: 2,
            rows: [AttentionTable.Row(shard: 0, adapter: "a", margins: [1, -1])])
        let adapters = ["a", "b"].enumerated().map { shard, name in
            AdapterRecord(
                shard: shard,
                report: TrainingReport(
                    adapter: name, manifest: "m\(shard)", prompts: 1, specification: specification, steps: 1, tokens: 1,
                    seconds: 1, computeSeconds: 1, epochLosses: [0.5]), created: Date(timeIntervalSince1970: 0))
        }
        return try PreparedAttention(table: table, parameters: parameters, adapters: adapters)
    }

    @Test("With equal weights all adapters answer alike, whether or not their rows are complete")
    func equalWeights() throws {
        for parameters in [nil, SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 1)] {
            let attention = try attention(parameters)
            #expect(attention.members.map(\.name) == ["a", "b"])
            #expect(!attention.looksAtQuery)
            #expect(try attention.weights(queries: 1, embeddings: []) == [0.5, 0.5])
        }
    }

    @Test("With sample-adaptive weights only adapters with a row answer")
    func adaptiveWeights() throws {
        let attention = try attention(SampleAdaptiveAttention.Parameters(tau: 1, neighbours: 1))
        #expect(attention.members.map(\.name) == ["a"])
    }

    @Test("A stage that is to be taken away answers no more, and adapters with its bytes or of other shards do")
    func withheld() {
        func adapter(_ shard: Int, _ name: String, stage: Int?) -> AdapterRecord {
            AdapterRecord(
                shard: shard,
                report: TrainingReport(
                    adapter: name, manifest: "m", prompts: 1, specification: specification, steps: 1, tokens: 1,
                    seconds: 1, computeSeconds: 1, epochLosses: [0.5],
                    slices: SlicesReport(count: 4, first: 1, tokens: 0, stage: stage)),
                created: Date(timeIntervalSince1970: 0))
        }
        let adapters = [
            adapter(0, "st", stage: 2), adapter(1, "st", stage: 2), adapter(2, "st", stage: nil),
            adapter(3, "other", stage: 1),
        ]
        var withheld = WithheldStages()
        #expect(withheld.without(adapters).map(\.shard) == [0, 1, 2, 3])
        for shard in [0, 2] { withheld.withhold("st", of: shard) }
        #expect(withheld.without(adapters).map(\.shard) == [1, 2, 3])
        withheld.release("st", of: 0)
        #expect(withheld.without(adapters).map(\.shard) == [0, 1, 2, 3])
    }

    @Test("Of a stage its slices are told, to whoever asks and in an evaluation's tables")
    func stages() throws {
        let all: [SlicesReport?] = [
            SlicesReport(count: 4, first: 3, tokens: 0, stage: 2), SlicesReport(count: 4, first: 1, tokens: 1), nil,
        ]
        let adapters = all.enumerated().map { shard, slices in
            AdapterRecord(
                shard: shard,
                report: TrainingReport(
                    adapter: "a\(shard)", manifest: "m\(shard)", prompts: 1, specification: specification, steps: 1,
                    tokens: 1, seconds: 1, computeSeconds: 1, epochLosses: [0.5], slices: slices),
                created: Date(timeIntervalSince1970: 0))
        }
        let table = AttentionTable(digests: [], ids: [], labels: [], embeddings: [], dimension: 0, rows: [])
        var members = try PreparedAttention(table: table, parameters: nil, adapters: adapters).members
        #expect(members.map(\.stage) == [2, nil, nil] && members.map(\.slices) == [4, nil, nil])
        members[2].exact = false
        let titles = (0..<3).map { shard in
            EvaluationScores.Series.Model.adapter(shard: shard, name: "a\(shard)").title(with: members)
        }
        #expect(titles == ["shard 0 (stage 2 of 4, exact)", "shard 1", "shard 2 (approximate)"])
    }
}
