import Coordination
import Messages
import Service
import Serving
import Testing
import Unlearning

@Suite("Weights of an evaluation's prompts")
struct WeightsBuildingTests {
    private let members = ["a", "b"].enumerated().map {
        QuestionMaterial.Member(shard: $0.offset, name: $0.element, exact: true)
    }
    private let table = AttentionTable(
        digests: ["d1", "d2"], ids: ["p1", "p2"], labels: [true, false], embeddings: [1, 0, 0, 1], dimension: 2,
        rows: [
            AttentionTable.Row(shard: 0, adapter: "a", margins: [2, -1]),
            AttentionTable.Row(shard: 1, adapter: "b", margins: [-1, 2]),
        ])
    private let parameters = SampleAdaptiveAttention.Parameters(tau: 3, neighbours: 1)

    private func weights(
        _ scope: AttentionScope, _ digests: [String], _ embeddings: [Float], adapters: [String] = ["a", "b"],
        _ parameters: SampleAdaptiveAttention.Parameters? = nil
    ) throws -> [Float] {
        try WeightsBuilding(
            WeightsRequest(scope: scope, digests: digests, embeddings: embeddings, adapters: adapters),
            table, parameters: parameters ?? self.parameters, members: members
        ).weights()
    }

    @Test("Embeddings that the table has are taken from there, the others as they were given, in their order")
    func embeddings() throws {
        let attention = try PreparedAttention(table: table, parameters: parameters, members: members)
        let expected = try attention.weights(
            queries: 3, embeddings: [0.5, 0.1, 0, 1, 0.2, 0.9], ids: ["", "p2", ""])
        #expect(try weights(.prompt, ["x", "d2", "y"], [0.5, 0.1, 0.2, 0.9]) == expected)
        #expect(try weights(.history, ["x", "d2", "y"], [0.5, 0.1, 0, 1, 0.2, 0.9]) == expected)
    }

    @Test("Where a prompt came into the table since, or left it, nothing is computed of other prompts' embeddings")
    func stale() {
        for embeddings: [Float] in [[0.5, 0.1, 0, 1, 0.2, 0.9], [0.5, 0.1]] {
            #expect {
                try weights(.prompt, ["x", "d2", "y"], embeddings)
            } throws: {
                ($0 as? ClientError)?.code == .stale
            }
        }
        #expect {
            try weights(.prompt, ["d1"], [], adapters: ["a"])
        } throws: {
            ($0 as? ClientError)?.code == .stale
        }
    }

    @Test("Equal weights look at no embedding")
    func equal() throws {
        let equal = SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 1)
        #expect(try weights(.prompt, ["x"], [1, 0], equal) == [0.5, 0.5])
    }
}
