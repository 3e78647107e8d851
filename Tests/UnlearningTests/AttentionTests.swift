import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Sample-adaptive attention")
struct AttentionTests {
    /// Four samples on two axes; adapter 0 is right on the first axis, adapter 1 on the second.
    private static let ids = ["a", "b", "c", "d"]
    private static let embeddings: [Float] = [1, 0, 2, 0.1, 0, 1, 0.1, 3]
    private static let errors: [[Float]] = [[0.1, 0.2, 0.7, 0.8], [0.9, 0.6, 0.3, 0.2]]

    private func attention(
        tau: Double, neighbours: Int, errors: [[Float]] = AttentionTests.errors
    ) throws -> SampleAdaptiveAttention {
        try SampleAdaptiveAttention(
            ids: Self.ids, embeddings: Self.embeddings, dimension: 2, errors: errors,
            parameters: .init(tau: tau, neighbours: neighbours))
    }

    private func expectEqual(_ found: [Float], _ wanted: [Double]) {
        #expect(found.count == wanted.count)
        for (one, other) in zip(found, wanted) { #expect(abs(Double(one) - other) < 1e-6) }
    }

    @Test("The weights are the paper's formula")
    func formula() throws {
        // Near the first axis: a and b. Mean errors 0.15 and 0.75.
        let weights = try attention(tau: 4, neighbours: 2).weights(for: [5, 0, 0, 0.2])
        let first = 1 / (1 + exp(-4 * 0.6))
        let second = 1 / (1 + exp(-4 * 0.5))
        expectEqual(weights, [first, 1 - first, 1 - second, second])
    }

    @Test("τ = 0 gives equal weights, a huge τ the best adapter alone")
    func extremes() throws {
        #expect(try attention(tau: 0, neighbours: 2).weights(for: [1, 0]) == [0.5, 0.5])
        #expect(try attention(tau: 1e6, neighbours: 1).weights(for: [1, 0]) == [1, 0])
        #expect(try attention(tau: 1e6, neighbours: 1).weights(for: [0, 1]) == [0, 1])
    }

    @Test("What is said of a query's weights is what they are computed from")
    func explained() throws {
        let attention = try attention(tau: 4, neighbours: 2)
        let query: [Float] = [5, 0]
        let explanation = try #require(try attention.explanations(for: query).first)
        #expect(explanation.neighbours == ["a", "b"])
        let powers = explanation.errors.map { exp(-4 * $0) }
        let sum = powers.reduce(0, +)
        let weights = try attention.weights(for: query)
        for (power, weight) in zip(powers, weights) { #expect(abs(power / sum - Double(weight)) < 1e-6) }
    }

    @Test("More neighbours than samples means all of them")
    func manyNeighbours() throws {
        let all = try attention(tau: 3, neighbours: 4).weights(for: [1, 0.3])
        #expect(try attention(tau: 3, neighbours: 1000).weights(for: [1, 0.3]) == all)
    }

    @Test("Without validation samples the weights are equal")
    func noSamples() throws {
        let attention = try SampleAdaptiveAttention(
            ids: [], embeddings: [], dimension: 2, errors: [[], [], [], []], parameters: .init(tau: 9, neighbours: 3))
        #expect(try attention.weights(for: [1, 2]) == [0.25, 0.25, 0.25, 0.25])
        #expect(try attention.weights(for: [1, 2], available: [true, false, true, false]) == [0.5, 0, 0.5, 0])
    }

    @Test("A quarantined adapter has no weight, however good it was")
    func quarantine() throws {
        let attention = try attention(tau: 50, neighbours: 2)
        #expect(try attention.weights(for: [1, 0, 0, 1], available: [false, true]) == [0, 1, 0, 1])
        #expect(throws: UnlearningError.noAdapter) {
            try attention.weights(for: [1, 0], available: [false, false])
        }
    }

    @Test("Equally similar samples count by id, whatever their order", arguments: 0..<10)
    func ties(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let ids = (0..<12).map { "s\($0)" }
        // Three directions, four samples each.
        let rows: [[Float]] = (0..<12).map { $0 % 3 == 0 ? [1, 0] : $0 % 3 == 1 ? [0, 1] : [1, 1] }
        let errors = (0..<2).map { _ in (0..<12).map { _ in Float.random(in: 0...1, using: &random) } }
        func weights(_ order: [Int]) throws -> [Float] {
            try SampleAdaptiveAttention(
                ids: order.map { ids[$0] }, embeddings: order.flatMap { rows[$0] }, dimension: 2,
                errors: errors.map { row in order.map { row[$0] } }, parameters: .init(tau: 5, neighbours: 2)
            ).weights(for: [1, 0, 0.2, 0.2])
        }
        let plain = try weights(Array(0..<12))
        #expect(try weights((0..<12).shuffled(using: &random)) == plain)
        // Of s0, s3, s6 and s9 the first two.
        let difference = (errors[0][0] + errors[0][3] - errors[1][0] - errors[1][3]) / 2
        #expect(abs(plain[0] - 1 / (1 + exp(5 * difference))) < 1e-5)
    }

    @Test("The neighbours are those of a full sort", arguments: 0..<8)
    func againstFullSort(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let (count, dimension, adapters) = (60, 19, 3)
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &random) } }
        let ids = (0..<count).map { String(1000 + $0) }
        let embeddings = numbers(count * dimension)
        let errors = (0..<adapters).map { _ in numbers(count).map(abs) }
        let query = numbers(dimension)
        let n = Int.random(in: 1...count, using: &random)
        let found = try SampleAdaptiveAttention(
            ids: ids, embeddings: embeddings, dimension: dimension, errors: errors,
            parameters: .init(tau: 7, neighbours: n)
        ).weights(for: query)
        let similarities = (0..<count).map { sample in
            let row = embeddings[(sample * dimension)..<((sample + 1) * dimension)]
            let dot = zip(row, query).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            return dot / row.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        }
        let nearest = (0..<count).sorted { similarities[$0] > similarities[$1] }.prefix(n)
        let powers = errors.map { row in exp(-7 * nearest.reduce(0) { $0 + Double(row[$1]) } / Double(n)) }
        expectEqual(found, powers.map { $0 / powers.reduce(0, +) })
    }

    @Test("The error is the probability of the wrong answer, whatever the adapter's offset and scale")
    func errorTable() {
        let labels = [true, true, false, true]
        let expected = [1, -1, 1, 1].map { 1 / (1 + exp(-$0 as Double)) }
        expectEqual(SampleAdaptiveAttention.errors(margins: [-1, 1, 1, -1], labels: labels), expected)
        expectEqual(SampleAdaptiveAttention.errors(margins: [3, 7, 7, 3], labels: labels), expected)
        expectEqual(SampleAdaptiveAttention.errors(margins: [2, 2, 2, 2], labels: labels), [0.5, 0.5, 0.5, 0.5])
    }

    @Test("Impossible input is refused")
    func refusals() throws {
        #expect(throws: UnlearningError.self) { try attention(tau: -1, neighbours: 1) }
        #expect(throws: UnlearningError.self) { try attention(tau: .nan, neighbours: 1) }
        #expect(throws: UnlearningError.self) { try attention(tau: 1, neighbours: 0) }
        #expect(throws: UnlearningError.noAdapter) { try attention(tau: 1, neighbours: 1, errors: []) }
        #expect(throws: UnlearningError.wrongShape(what: "the error table", expected: 4, found: 1)) {
            try attention(tau: 1, neighbours: 1, errors: [[1]])
        }
        #expect(throws: UnlearningError.notFinite(what: "the error table")) {
            try attention(tau: 1, neighbours: 1, errors: [[0, 0, 0, .nan]])
        }
        let sound = try attention(tau: 1, neighbours: 1)
        #expect(throws: UnlearningError.self) { try sound.weights(for: [1, 2, 3]) }
        #expect(throws: UnlearningError.notFinite(what: "the queries")) { try sound.weights(for: [1, .infinity]) }
        #expect(throws: UnlearningError.self) { try sound.weights(for: [1, 2], available: [true]) }
    }
}
