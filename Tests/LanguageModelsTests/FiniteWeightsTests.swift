import Foundation
import LanguageModels
import Testing

@Suite("Weights that are no finite numbers")
struct FiniteWeightsTests {
    private struct Broken: Checkpoint {
        var places: [String: [Float]]
        var configuration: ModelConfiguration { TinyModel.llama.configuration }
        var digest: String { "broken" }
        func shape(of name: String) -> [Int]? { TinyModel.llama.shape(of: name) }
        func floats(of name: String) throws -> [Float] {
            var values = try TinyModel.llama.floats(of: name)
            for (position, value) in (places[name] ?? []).enumerated() { values[position * 3 + 1] = value }
            return values
        }
    }

    @Test("Every tensor is named with how many there are, and nothing is packed or kept", arguments: Precision.allCases)
    func named(_ precision: Precision) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("finite-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let model = Broken(places: [
            "model.norm.weight": [.nan], "model.layers.1.mlp.up_proj.weight": [.infinity, .nan, -.infinity],
        ])
        for cache in [nil, directory.path] {
            for _ in 0..<2 {
                #expect(
                    throws: LanguageModelError.weightsNotFinite(tensors: [
                        NonFiniteTensor(name: "model.layers.1.mlp.up_proj.weight", values: 3),
                        NonFiniteTensor(name: "model.norm.weight", values: 1),
                    ])
                ) {
                    try DecoderWeights(
                        checkpoint: model, precision: precision, answerTokens: TinyModel.answerTokens,
                        cacheDirectory: cache)
                }
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }

    @Test("The check without a decoder finds the same, and nothing in a good model")
    func checked() throws {
        try TinyModel.llama.requireFiniteWeights()
        let error = #expect(throws: LanguageModelError.self) {
            try Broken(places: ["model.embed_tokens.weight": [.nan]]).requireFiniteWeights()
        }
        #expect(error?.description.contains("model.embed_tokens.weight (1)") == true)
    }
}
