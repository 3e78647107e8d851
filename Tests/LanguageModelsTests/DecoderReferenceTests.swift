import Foundation
import LanguageModels
import Testing

/// Against Transformers and PEFT: see Fixtures/decoder_reference.py.
struct DecoderReferenceTests {
    struct Reference: Decodable {
        struct Embedding: Decodable {
            var layer: Int
            var last: [Float]
            var mean: [Float]
        }
        var prompts: [[Int32]]
        var logits: [[Float]]
        var base: [[Float]]
        var embedding: Embedding
        var gradient: [Float]
    }

    static func reference(_ model: TinyModel) throws -> Reference {
        let url = Bundle.module.url(
            forResource: "decoder_reference_\(model.configuration.family.rawValue)", withExtension: "json",
            subdirectory: "Fixtures")
        return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: #require(url)))
    }

    @Test("Base logits equal those of Transformers", arguments: TinyModel.families)
    func baseLogits(model: TinyModel) throws {
        let reference = try Self.reference(model)
        let logits = try model.decoder().answerLogits(prompts: reference.prompts, adapters: nil, weights: nil)
        for (found, expected) in zip(logits, reference.base) {
            #expect(abs(found.yes - expected[0]) < 1e-4)
            #expect(abs(found.no - expected[1]) < 1e-4)
        }
    }

    @Test("Logits under an adapter equal those of PEFT", arguments: TinyModel.families)
    func adapterLogits(model: TinyModel) throws {
        let reference = try Self.reference(model)
        let logits = try model.decoder().answerLogits(
            prompts: reference.prompts, adapters: AdapterMixture([model.adapter()]), weights: nil)
        for (found, expected) in zip(logits, reference.logits) {
            #expect(abs(found.yes - expected[0]) < 1e-4)
            #expect(abs(found.no - expected[1]) < 1e-4)
        }
    }

    @Test("Adapter gradients equal those of PEFT at all seven sites", arguments: TinyModel.families)
    func gradients(model: TinyModel) throws {
        let reference = try Self.reference(model)
        let (gradient, _) = try model.decoder().gradient(prompts: reference.prompts, adapter: model.adapter()) {
            crossEntropyGradient($0, $1)
        }
        #expect(gradient.count == reference.gradient.count)
        let scale = reference.gradient.map(abs).max() ?? 0
        for (found, expected) in zip(gradient, reference.gradient) {
            #expect(abs(found - expected) < 1e-4 * scale + 1e-3 * abs(expected))
        }
    }

    @Test("Embeddings equal Transformers' hidden states", arguments: TinyModel.families)
    func embeddings(model: TinyModel) throws {
        let reference = try Self.reference(model)
        let decoder = try model.decoder()
        let hidden = model.configuration.hidden
        for pooling in [EmbeddingSource.Pooling.last, .mean] {
            let all = try decoder.embeddings(
                prompts: reference.prompts, source: EmbeddingSource(layer: reference.embedding.layer, pooling: pooling))
            let found = all[hidden..<(2 * hidden)]
            for (value, expected) in zip(found, pooling == .last ? reference.embedding.last : reference.embedding.mean)
            {
                #expect(abs(value - expected) < 1e-4)
            }
        }
    }
}

/// Of the two-way cross-entropy with label "Yes" for odd prompts.
func crossEntropyGradient(_ index: Int, _ logits: AnswerLogits) -> AnswerLogits {
    let probability = 1 / (1 + exp(-logits.margin))
    let difference = probability - Float(index % 2)
    return AnswerLogits(yes: difference, no: -difference)
}
