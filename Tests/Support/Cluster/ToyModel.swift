import Compute
import Coordination
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Unlearning
import Worker

/// A model small enough to train in milliseconds: logistic regression whose weights are an adapter.
///
/// Each token has a fixed pseudo-random feature vector of the adapter's length; a prompt's features are their mean, its margin
/// is their product with the adapter's values plus a bias that the text alone decides.
package final class ToyAnswerModel: AnswerModel {
    package let configuration = ModelConfiguration(
        family: .llama, vocabulary: 256, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, headDimension: 4,
        intermediate: 16, context: 4096, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
        attentionBias: false)
    /// Microseconds that every gradient takes in addition, so that a training lasts.
    private let delay: UInt32
    private var tables: [Int: [Float]] = [:]
    /// nil: those of "Yes" and "No". Other answers have other features.
    private let answers: AnswerTokens?

    package init(delay: Duration = .zero, answers: AnswerTokens? = nil) {
        self.delay = UInt32(delay / .microseconds(1))
        self.answers = answers
    }

    package func answering(with tokens: AnswerTokens) throws -> any AnswerModel {
        ToyAnswerModel(delay: .microseconds(Int(delay)), answers: tokens)
    }

    package func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?
    ) throws -> [AnswerLogits] {
        try check(prompts)
        return prompts.indices.map { index in
            var margin = bias(prompts[index])
            if let adapters {
                for (position, adapter) in adapters.adapters.enumerated() {
                    let weight =
                        weights.map { $0[index * adapters.adapters.count + position] }
                        ?? 1 / Float(adapters.adapters.count)
                    margin += weight * product(adapter.values, features(prompts[index], adapter.values.count))
                }
            }
            return AnswerLogits(yes: margin / 2, no: -margin / 2)
        }
    }

    package func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        let logits = try answerLogits(prompts: prompts, adapters: AdapterMixture([adapter]), weights: nil)
        if delay > 0 { usleep(delay) }
        var gradient = [Float](repeating: 0, count: adapter.values.count)
        for (index, prompt) in prompts.enumerated() {
            let change = lossGradient(index, logits[index])
            let factor = (change.yes - change.no) / 2
            for (position, feature) in features(prompt, gradient.count).enumerated() {
                gradient[position] += factor * feature
            }
        }
        return (gradient, logits)
    }

    package func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] {
        try check(prompts)
        return prompts.flatMap { features($0, configuration.hidden) }
    }

    private func check(_ prompts: [[Int32]]) throws {
        for (index, prompt) in prompts.enumerated() {
            if prompt.isEmpty { throw LanguageModelError.emptyPrompt(index: index) }
            if prompt.count > configuration.context {
                throw LanguageModelError.promptTooLong(
                    index: index, tokens: prompt.count, limit: configuration.context)
            }
            if let token = prompt.first(where: { !(0..<256).contains($0) }) {
                throw LanguageModelError.tokenOutOfRange(index: index, token: token)
            }
        }
    }

    private var path: [UInt64] {
        answers.map { [$0.yes, $0.no].map { UInt64(UInt32(bitPattern: $0)) } } ?? []
    }

    private func bias(_ prompt: [Int32]) -> Float {
        features(prompt, 1)[0] / 4
    }

    private func features(_ prompt: [Int32], _ count: Int) -> [Float] {
        let table =
            tables[count]
            ?? CounterGenerator(seed: 5, path: [UInt64(count)] + path).uniforms(count: 256 * count, low: -1, high: 1)
        tables[count] = table
        var sums = [Float](repeating: 0, count: count)
        for token in prompt {
            for position in 0..<count { sums[position] += table[Int(token) * count + position] }
        }
        let scale = 4 / Float(prompt.count)
        return sums.map { $0 * scale }
    }

    private func product(_ left: [Float], _ right: [Float]) -> Float {
        zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
    }
}

/// One token a byte.
package struct ToyTokenizer: Tokenizer {
    package var vocabularySize: Int { 256 }
    package func encode(_ text: String) -> [Int32] { text.utf8.map(Int32.init) }
    package func decode(_ ids: [Int32]) -> String {
        String(decoding: ids.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    }
}

package enum Toy {
    package static let base = "toy base"

    /// What a worker computes with in tests.
    package static func executor(
        base: String = Toy.base, precision: TrainingSpecification.Precision = .f32, delay: Duration = .zero,
        checkpointInterval: Duration? = nil
    ) -> LanguageModelExecutor {
        let model = ToyAnswerModel(delay: delay)
        return LanguageModelExecutor(
            model: model, tokenizer: ToyTokenizer(),
            description: ExecutorDescription(
                base: base, precision: precision, arithmetic: "toy arithmetic", threads: 1,
                model: model.configuration),
            checkpointInterval: checkpointInterval)
    }

    package static func specification(seed: UInt64 = 1, epochs: Int = 2) -> TrainingSpecification {
        TrainingSpecification(base: base, precision: .f32, seed: seed, epochs: epochs, batch: 4, learningRate: 1e-2)
    }

    /// Trainings of the executor.
    package static func staged(_ specification: TrainingSpecification) -> StagedTraining {
        let executor = executor().description
        return StagedTraining(
            specification: specification, arithmetic: executor.arithmetic, model: executor.model)
    }

    package static func prompt(_ index: Int, version: Int = 0) -> TrainingPrompt {
        TrainingPrompt(
            id: String(format: "%04d", index), instruction: "Will the user like it?",
            input: "User Preference: \"Title \(index * 7 % 31)\", \"Title \(version)\"", label: index % 3 == 0)
    }

    package static func prompts(_ indices: Range<Int>, version: Int = 0) -> [TrainingPrompt] {
        indices.map { prompt($0, version: version) }
    }

    package static func manifest(_ prompts: [TrainingPrompt]) -> ShardManifest {
        ShardManifest(entries: prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) })
    }

    /// A fresh directory; the caller removes it.
    package static func temporaryDirectory() -> String {
        FileManager.default.temporaryDirectory.path + "/lethe-test-" + UUID().uuidString
    }
}
