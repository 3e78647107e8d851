import Foundation
import LanguageModels
import Testing

@Suite("Margins of the real model", .enabled(if: Fixtures.realModel != nil))
struct RealMarginTests {
    private struct Reference: Decodable {
        var prompts: [String]
        var answerTokens: [Int32]
        /// Margins in PyTorch f32 under the base model, and under the adapter beside it.
        var base: [Float]
        var adapted: [Float]
        /// The base's margins when PyTorch itself computes in bf16.
        var bf16: [Float]
    }

    /// A third of the prompts, and with LETHE_TEST_FULL all: each costs the real model a pass.
    private static let compared = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] == nil ? 8 : 24

    private static func margins(
        _ reference: Reference, _ precision: Precision
    ) throws -> (base: [Float], adapted: [Float]) {
        let model = try ModelLoader.load(path: #require(Fixtures.realModel))
        #expect([model.answerTokens.yes, model.answerTokens.no] == reference.answerTokens)
        let weights = try DecoderWeights(
            checkpoint: model.checkpoint, precision: precision, answerTokens: model.answerTokens)
        let decoder = try Decoder(weights: weights, threads: 2)
        let prompts = reference.prompts.prefix(compared).map { model.tokenizer.encode($0) }
        let adapter = try Adapter(directory: Fixtures.path("margins"), model: model.checkpoint.configuration)
        func margins(_ mixture: AdapterMixture?) throws -> [Float] {
            try decoder.answerLogits(prompts: prompts, adapters: mixture, weights: nil).map(\.margin)
        }
        return (try margins(nil), try margins(AdapterMixture([adapter])))
    }

    private static func reference() throws -> Reference {
        let reference = try JSONDecoder().decode(Reference.self, from: Data(Fixtures.bytes("margins/margins.json")))
        try #require(reference.prompts.count == 24)
        let effect = zip(reference.base, reference.adapted).map { abs($0 - $1) }.max() ?? 0
        try #require(effect > 0.5, "an adapter that changes nothing would prove nothing")
        return reference
    }

    @Test("In f32, margins equal PyTorch's, without and with an adapter trained in PEFT")
    func singlePrecision() throws {
        let reference = try Self.reference()
        let margins = try Self.margins(reference, .f32)
        try #require(margins.base.count == Self.compared && margins.adapted.count == Self.compared)
        for index in 0..<Self.compared {
            #expect(abs(margins.base[index] - reference.base[index]) < 2e-3, "prompt \(index)")
            #expect(abs(margins.adapted[index] - reference.adapted[index]) < 2e-3, "prompt \(index)")
        }
    }

    @Test("In bf16, margins are within 0.05 of PyTorch's in f32, from which its own bf16 is farther away")
    func brainPrecision() throws {
        let reference = try Self.reference()
        let margins = try Self.margins(reference, .bf16)
        try #require(margins.base.count == Self.compared && margins.adapted.count == Self.compared)
        for index in 0..<Self.compared {
            #expect(abs(margins.base[index] - reference.base[index]) < 5e-2, "prompt \(index)")
            #expect(abs(margins.adapted[index] - reference.adapted[index]) < 5e-2, "prompt \(index)")
        }
        func farthest(_ margins: [Float]) -> Float { zip(reference.base, margins).map { abs($0 - $1) }.max() ?? 0 }
        #expect(farthest(margins.base) < farthest(Array(reference.bf16.prefix(Self.compared))))
    }
}
