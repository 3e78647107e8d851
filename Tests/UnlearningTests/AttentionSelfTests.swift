import Testing
import TrainingTestSupport
import Unlearning

@Suite("Attention over the samples it was made of")
struct AttentionSelfTests {
    @Test("A validation sample that is asked about is not its own neighbour")
    func notOneself() throws {
        // Sample a alone says that the second adapter errs; its nearest neighbour b says so of the first.
        let attention = try SampleAdaptiveAttention(
            ids: ["a", "b", "c"], embeddings: [1, 0, 0.9, 0.1, 0, 1], dimension: 2,
            errors: [[0, 1, 0.5], [1, 0, 0.5]], parameters: .init(tau: 1000, neighbours: 1))
        let asNew = try attention.weights(for: [1, 0])
        #expect(asNew == [1, 0])
        let asItself = try attention.weights(for: [1, 0], ids: ["a"])
        #expect(asItself == [0, 1])
        #expect(try attention.weights(for: [1, 0], ids: ["unknown"]) == asNew)
        #expect(throws: UnlearningError.self) { try attention.weights(for: [1, 0], ids: []) }
    }
}
