import Foundation
import LanguageModels
import Testing

struct DecoderInputTests {
    private func score(_ prompts: [[Int32]]) throws -> [AnswerLogits] {
        try TinyModel.llama.decoder().answerLogits(prompts: prompts, adapters: nil, weights: nil)
    }

    @Test("Empty prompts, long ones and unknown tokens are refused by name")
    func prompts() throws {
        #expect(throws: LanguageModelError.emptyPrompt(index: 1)) { try score([[1], []]) }
        #expect(throws: LanguageModelError.promptTooLong(index: 0, tokens: 257, limit: 256)) {
            try score([[Int32](repeating: 1, count: 257)])
        }
        #expect(throws: LanguageModelError.tokenOutOfRange(index: 0, token: 96)) { try score([[1, 96]]) }
        #expect(throws: LanguageModelError.tokenOutOfRange(index: 0, token: -1)) { try score([[-1]]) }
        #expect(try score([]).isEmpty)
        #expect(try score([[Int32](repeating: 1, count: 256)]).count == 1)
    }

    @Test("An adapter of another model, and a wrong number of weights, are refused")
    func adapters() throws {
        let model = TinyModel.llama
        let other = TinyModel(layers: 2).adapter()
        #expect(throws: LanguageModelError.self) {
            try model.decoder().answerLogits(prompts: [[1]], adapters: AdapterMixture([other]), weights: nil)
        }
        #expect(throws: LanguageModelError.self) {
            try model.decoder().answerLogits(
                prompts: [[1]], adapters: AdapterMixture([model.adapter()]), weights: [0.5, 0.5])
        }
        #expect(throws: LanguageModelError.self) {
            try model.decoder().embeddings(prompts: [[1]], source: EmbeddingSource(layer: 4, pooling: .last))
        }
    }

    @Test("A checkpoint without a tensor, or with one of another shape, is refused")
    func checkpoints() throws {
        struct Broken: Checkpoint {
            var configuration: ModelConfiguration { TinyModel.llama.configuration }
            var digest: String { "broken" }
            var missing: String?
            var wrong: String?
            func shape(of name: String) -> [Int]? {
                name == missing ? nil : name == wrong ? [3] : TinyModel.llama.shape(of: name)
            }
            func floats(of name: String) throws -> [Float] { try TinyModel.llama.floats(of: name) }
        }
        func load(_ checkpoint: Broken) throws {
            _ = try DecoderWeights(checkpoint: checkpoint, precision: .f32, answerTokens: (1, 2))
        }
        let name = "model.layers.1.mlp.up_proj.weight"
        #expect(throws: LanguageModelError.missingTensor(name: name)) { try load(Broken(missing: name)) }
        #expect(throws: LanguageModelError.wrongShape(name: name, expected: [48, 32], found: [3])) {
            try load(Broken(wrong: name))
        }
        #expect(throws: LanguageModelError.tokenOutOfRange(index: 0, token: 96)) {
            try DecoderWeights(checkpoint: TinyModel.llama, precision: .f32, answerTokens: (yes: 96, no: 1))
        }
    }
}
