import LanguageModels
import Recommendation
import Unlearning

/// SplitMix64: the same numbers for the same seed, on every machine.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// One token a byte.
package struct ByteTokenizer: Tokenizer {
    package init() {}

    package var vocabularySize: Int { 256 }

    package func encode(_ text: String) -> [Int32] { text.utf8.map(Int32.init) }
    package func decode(_ ids: [Int32]) -> String {
        String(decoding: ids.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    }
}

/// The smallest model with an adapter: margin = s·Σ_i (B·A·x)_i, where x counts which of four letters a prompt's input has
/// most of. It keeps what it was asked.
package final class LetterModel: AnswerModel {
    package let configuration: ModelConfiguration
    package private(set) var asked: [[[Int32]]] = []
    /// The adapter of each call.
    package private(set) var adapters: [Adapter] = []
    /// What the loss said about each batch.
    package private(set) var slopes: [[AnswerLogits]] = []
    /// Calls after which margins (or gradients) stop being numbers.
    package var brokenMarginsAfter = Int.max
    package var brokenGradientsAfter = Int.max

    package init(context: Int = 4096) {
        configuration = ModelConfiguration(
            family: .llama, vocabulary: 256, hidden: 4, layers: 1, heads: 1, keyValueHeads: 1, headDimension: 4,
            intermediate: 4, context: context, ropeTheta: 1e4, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
            attentionBias: false)
    }

    /// How often a, b, c and d are written in capitals.
    private func features(_ prompt: [Int32]) -> [Float] {
        (0..<4).map { letter in Float(prompt.count { $0 == 65 + Int32(letter) }) - 2 }
    }

    package func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits]
    {
        guard let adapter = adapters?.adapters.first else { return prompts.map { _ in AnswerLogits(yes: 0, no: 0) } }
        return try gradient(prompts: prompts, adapter: adapter) { _, _ in AnswerLogits(yes: 0, no: 0) }.logits
    }

    package func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        asked.append(prompts)
        adapters.append(adapter)
        var gradient = [Float](repeating: 0, count: adapter.layout.count)
        var logits: [AnswerLogits] = []
        var answers: [AnswerLogits] = []
        let (rank, scale) = (adapter.layout.configuration.rank, adapter.layout.configuration.scale)
        for (index, prompt) in prompts.enumerated() {
            let x = features(prompt)
            var margin: Float = 0
            for site in adapter.layout.sites {
                for r in 0..<rank {
                    let projected = (0..<4).reduce(Float(0)) { $0 + adapter.values[site.offsetA + r * 4 + $1] * x[$1] }
                    for output in 0..<site.outputs {
                        margin += scale * adapter.values[site.offsetB + output * rank + r] * projected
                    }
                }
            }
            if asked.count > brokenMarginsAfter { margin = .nan }
            let answer = AnswerLogits(yes: margin / 2, no: -margin / 2)
            let slope = lossGradient(index, answer)
            logits.append(answer)
            answers.append(slope)
            let towards = scale * (slope.yes - slope.no) / 2
            for site in adapter.layout.sites {
                for r in 0..<rank {
                    let column = (0..<site.outputs).reduce(Float(0)) {
                        $0 + adapter.values[site.offsetB + $1 * rank + r]
                    }
                    for input in 0..<4 {
                        let index = site.offsetA + r * 4 + input
                        gradient[index] += towards * column * x[input]
                        for output in 0..<site.outputs {
                            gradient[site.offsetB + output * rank + r] += towards * adapter.values[index] * x[input]
                        }
                    }
                }
            }
        }
        slopes.append(answers)
        if asked.count > brokenGradientsAfter { gradient[0] = .infinity }
        return (gradient, logits)
    }

    package func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { prompts.flatMap(features) }
}

/// Prompts whose letters say the answer: more A than B means "Yes.".
package func letterPrompts(_ count: Int, seed: UInt64 = 1) -> [TrainingPrompt] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { index in
        let label = Bool.random(using: &random)
        let noise = (0..<3).map { _ in ["C", "D"].randomElement(using: &random) ?? "C" }.joined()
        return TrainingPrompt(
            id: "prompt \(index)", instruction: "judge", input: (label ? "AAAA" : "BBBB") + noise, label: label)
    }
}

/// Points around `clusters` far-apart directions, as partition samples.
package struct Cloud {
    package var samples: [PartitionSample] = []
    package var embeddings: [Float] = []
    /// The direction of each point.
    package var truth: [Int] = []
    package static let dimension = 5

    /// - Parameter noise: 0 puts all points of a direction on one spot.
    package init(count: Int, clusters: Int, noise: Float, users: Int = 7, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for index in 0..<count {
            let cluster = index % clusters
            samples.append(
                PartitionSample(id: "p\(index)", user: "u\(Int.random(in: 0..<users, using: &random))"))
            truth.append(cluster)
            for axis in 0..<Self.dimension {
                embeddings.append((axis == cluster ? 3 : 0) + Float.random(in: -1...1, using: &random) * noise)
            }
        }
    }

    /// The same points in another order.
    package func shuffled(seed: UInt64) -> Cloud {
        var random = SeededGenerator(seed: seed)
        let order = samples.indices.shuffled(using: &random)
        var copy = self
        copy.samples = order.map { samples[$0] }
        copy.truth = order.map { truth[$0] }
        copy.embeddings = order.flatMap { row($0) }
        return copy
    }

    package func row(_ index: Int) -> ArraySlice<Float> {
        embeddings[(index * Self.dimension)..<((index + 1) * Self.dimension)]
    }

    /// Points in a range of positions.
    package subscript(range: Range<Int>) -> (samples: [PartitionSample], embeddings: [Float]) {
        (Array(samples[range]), range.flatMap { row($0) })
    }

    package func partition(_ method: PartitionMethod, shards: Int, seed: UInt64 = 5) throws -> BalancedPartition {
        try BalancedPartition(
            method: method, samples: samples, embeddings: embeddings, dimension: Self.dimension, shards: shards,
            seed: seed)
    }
}
