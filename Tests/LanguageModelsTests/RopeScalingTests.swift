import Foundation
import LanguageModels
import Testing

/// Against Transformers: see Fixtures/rope_scaling.py.
struct RopeScalingTests {
    private struct Reference: Decodable {
        struct Scaling: Decodable {
            var ropeType: String
            var factor: Double
            var lowFreqFactor: Double?
            var highFreqFactor: Double?
            var originalMaxPositionEmbeddings: Int?

            func scaling() throws -> RopeScaling {
                guard ropeType == "llama3" else { return .linear(factor: factor) }
                return .llama3(
                    factor: factor, lowFrequencyFactor: try #require(lowFreqFactor),
                    highFrequencyFactor: try #require(highFreqFactor),
                    originalContext: try #require(originalMaxPositionEmbeddings))
            }
        }

        struct Case: Decodable {
            var head: Int
            var theta: Double
            var scaling: Scaling
            var frequencies: [Float]
            var logits: [[Float]]
        }

        var prompts: [[Int32]]
        var cases: [Case]
    }

    private static func reference() throws -> Reference {
        let url = Bundle.module.url(forResource: "rope_scaling", withExtension: "json", subdirectory: "Fixtures")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Reference.self, from: Data(contentsOf: #require(url)))
    }

    @Test("Frequencies of Llama 3.1, Llama 3.2 and linear scaling equal those of Transformers")
    func frequencies() throws {
        for row in try Self.reference().cases {
            let model = TinyModel(hidden: 4 * row.head, ropeTheta: row.theta, ropeScaling: try row.scaling.scaling())
            let found = model.configuration.rotaryFrequencies
            #expect(found.count == row.frequencies.count)
            for (mine, theirs) in zip(found, row.frequencies) { #expect(abs(mine - theirs) <= 1e-6 * theirs) }
        }
    }

    @Test("Logits under rope scaling equal those of Transformers, and differ from those without")
    func logits() throws {
        let reference = try Self.reference()
        for row in reference.cases where !row.logits.isEmpty {
            let scaling = try row.scaling.scaling()
            let models = [TinyModel(ropeTheta: row.theta, ropeScaling: scaling), TinyModel(ropeTheta: row.theta)]
            let (scaled, plain) = try (
                models[0].decoder().answerLogits(prompts: reference.prompts, adapters: nil, weights: nil),
                models[1].decoder().answerLogits(prompts: reference.prompts, adapters: nil, weights: nil)
            )
            var difference: Float = 0
            for index in scaled.indices {
                #expect(abs(scaled[index].yes - row.logits[index][0]) < 1e-4)
                #expect(abs(scaled[index].no - row.logits[index][1]) < 1e-4)
                difference = max(difference, abs(scaled[index].yes - plain[index].yes))
            }
            #expect(difference > 1e-2)
        }
    }

    @Test("Divisors of each frequency, as llama.cpp stores them, give the same as the formula")
    func divisors() throws {
        let scaling = RopeScaling.llama3(
            factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 24)
        let plain = TinyModel().configuration.rotaryFrequencies
        let wanted = TinyModel(ropeScaling: scaling).configuration.rotaryFrequencies
        let divisors = RopeScaling.divisors(zip(plain, wanted).map { $0 / $1 })
        for (found, expected) in zip(TinyModel(ropeScaling: divisors).configuration.rotaryFrequencies, wanted) {
            #expect(abs(found - expected) <= 1e-6 * expected)
        }
    }
}
