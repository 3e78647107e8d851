import Compute
import Crypto
import Files
import Foundation
import LanguageModels
import Recommendation

/// Tells machines apart whose arithmetic would give other adapters: another instruction set, another version of the
/// matrix-product library, another build.
///
/// A small fixed model is trained for a few steps by the same code that trains the real one, and the bytes of the
/// adapter are hashed; with the real model also its gradient on two fixed sequences, since the library blocks large
/// products by other properties of the processor than small ones. Different fingerprints mean different results; equal
/// ones make equal results likely, and `verify` shows them.
public enum ArithmeticFingerprint {
    /// - `model`: the base model in use.
    /// - Returns: SHA-256, in hexadecimal.
    public static func compute(
        precision: TrainingSpecification.Precision, model: (any AnswerModel)? = nil
    ) throws -> String {
        let checkpoint = ProbeCheckpoint()
        let weights = try DecoderWeights(
            checkpoint: checkpoint, precision: Precision(precision), answerTokens: (yes: 1, no: 2))
        let specification = TrainingSpecification(
            base: checkpoint.digest, precision: precision, seed: 1, epochs: 2, batch: 4, learningRate: 1e-2)
        let generator = CounterGenerator(seed: 2)
        let samples = (0..<8).map { index in
            let length = 20 + Int(generator.word(at: index) % 60)
            let words = (0..<length).map { String(generator.word(at: 100 + index * 100 + $0) % 90) }
            return TrainingPrompt(
                id: "probe \(index)", instruction: "fixed", input: words.joined(separator: " "),
                label: index % 2 == 0)
        }
        let trained = try AdapterTraining.train(
            model: try Decoder(weights: weights, threads: 1), tokenizer: ByteTokenizer(), samples: samples,
            specification: specification)
        var hash = SHA256()
        let values = try trained.adapter.values + (model.map { try gradient(of: $0) } ?? [])
        for value in values {
            withUnsafeBytes(of: value.bitPattern.littleEndian) { hash.update(bufferPointer: $0) }
        }
        return hash.finalize().hexadecimal
    }
}

extension ArithmeticFingerprint {
    /// Of a fixed adapter on a sequence of more than one block of rows and on a short one.
    private static func gradient(of model: any AnswerModel) throws -> [Float] {
        let layout = AdapterLayout(model: model.configuration, configuration: LoRAConfiguration())
        let adapter = Adapter(
            layout: layout, values: CounterGenerator(seed: 5).uniforms(count: layout.count, low: -0.02, high: 0.02))
        let generator = CounterGenerator(seed: 6)
        let vocabulary = UInt32(clamping: model.configuration.vocabulary)
        let prompts = [140, 23].map { length in
            (0..<min(length, model.configuration.context)).map {
                Int32(generator.word(at: length * 1000 + $0) % vocabulary)
            }
        }
        return try model.gradient(prompts: prompts, adapter: adapter) { _, _ in AnswerLogits(yes: 1, no: -1) }.gradient
    }
}

/// A decoder of two layers with counter-based random weights.
private struct ProbeCheckpoint: Checkpoint {
    let configuration = ModelConfiguration(
        family: .llama, vocabulary: 256, hidden: 64, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 16,
        intermediate: 160, context: 512, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
        attentionBias: false)
    let digest = "arithmetic probe 1"

    func shape(of name: String) -> [Int]? {
        if name == "model.embed_tokens.weight" { return [configuration.vocabulary, configuration.hidden] }
        if name == "model.norm.weight" { return [configuration.hidden] }
        let parts = name.split(separator: ".").map(String.init)
        guard parts.count >= 5, parts[0] == "model", parts[1] == "layers", let layer = Int(parts[2]),
            (0..<configuration.layers).contains(layer), parts.last == "weight"
        else { return nil }
        let module = parts[parts.count - 2]
        if module == "input_layernorm" || module == "post_attention_layernorm" { return [configuration.hidden] }
        guard let site = LinearSite(rawValue: module) else { return nil }
        let (inputs, outputs) = configuration.shape(of: site)
        return [outputs, inputs]
    }

    func floats(of name: String) throws -> [Float] {
        guard let shape = shape(of: name) else { throw LanguageModelError.missingTensor(name: name) }
        let count = shape.reduce(1, *)
        let generator = CounterGenerator(seed: 3, path: name.utf8.map(UInt64.init))
        guard shape.count == 2 else { return generator.uniforms(count: count, low: 0.9, high: 1.1) }
        let bound = 1.5 / Float(shape[1]).squareRoot()
        return generator.uniforms(count: count, low: -bound, high: bound)
    }
}

/// One token a byte.
private struct ByteTokenizer: Tokenizer {
    var vocabularySize: Int { 256 }

    func encode(_ text: String) -> [Int32] { text.utf8.map(Int32.init) }

    func decode(_ ids: [Int32]) -> String {
        String(decoding: ids.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    }
}
