import ClusterTestSupport
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker with a real model")
struct WorkerModelTests {
    static let model = ProcessInfo.processInfo.environment["LETHE_TEST_MODEL"]

    @Test("Loads, trains, scores under the trained adapter and embeds", .enabled(if: model != nil))
    func realModel() throws {
        let executor = try LanguageModelExecutor(
            model: try #require(Self.model), precision: .f32, threads: 2, weightCacheDirectory: nil)
        let specification = TrainingSpecification(
            base: executor.description.base, precision: .f32, epochs: 2, batch: 2, learningRate: 1e-3)
        let prompts = Toy.prompts(0..<4)
        let base = try executor.score(prompts: prompts, adapters: [], rule: .nonDecomposed, weights: [])
        let trained = try executor.train(
            prompts: prompts, specification: specification, progress: { _ in }, isCancelled: { false })
        let adapter = try Adapter(
            safetensors: trained.adapter.safetensorsBytes(),
            layout: AdapterLayout(model: executor.description.model, configuration: specification.lora))
        let after = try executor.score(prompts: prompts, adapters: [adapter], rule: .nonDecomposed, weights: [])
        func loss(_ margins: [Float]) -> Float {
            zip(margins, prompts).reduce(0) { sum, pair in
                let (margin, prompt) = pair
                return sum + log(1 + exp(prompt.label ? -margin : margin))
            }
        }
        #expect(loss(after.margins) < loss(base.margins))
        #expect(base.tokens == after.tokens && trained.report.tokens == 2 * base.tokens)
        let source = EmbeddingSource(layer: 4, pooling: .mean)
        let values = try executor.embed(prompts: prompts, source: source).values
        #expect(values.count == 4 * executor.description.model.hidden && values.allSatisfy(\.isFinite))
    }
}
