import LanguageModels
import Testing

struct DecoderDeterminismTests {
    private func run(_ decoder: Decoder, _ model: TinyModel) throws -> (gradient: [UInt32], logits: [UInt32]) {
        let (gradient, _) = try decoder.gradient(prompts: TinyModel.prompts(30), adapter: model.adapter()) {
            crossEntropyGradient($0, $1)
        }
        let logits = try decoder.answerLogits(
            prompts: TinyModel.prompts(30), adapters: AdapterMixture([model.adapter()]), weights: nil)
        return (gradient.map(\.bitPattern), logits.map(\.margin.bitPattern))
    }

    @Test("The number of threads does not change a bit", arguments: [Precision.f32, .bf16])
    func threads(precision: Precision) throws {
        let model = TinyModel(hidden: 64, intermediate: 96)
        let expected = try run(model.decoder(precision, threads: 1, tokenBudget: 300), model)
        for threads in [2, 3, 5] {
            let found = try run(model.decoder(precision, threads: threads, tokenBudget: 300), model)
            #expect(found == expected)
        }
    }

    @Test("Repeated calls give identical bytes, whatever was computed before", arguments: [Precision.f32, .bf16])
    func repeated(precision: Precision) throws {
        let model = TinyModel.llama
        let decoder = try model.decoder(precision, tokenBudget: 200)
        let expected = try run(decoder, model)
        _ = try decoder.answerLogits(
            prompts: TinyModel.prompts(3, seed: "other"),
            adapters: AdapterMixture([model.adapter(rank: 2, name: "x"), model.adapter(rank: 2, name: "y")]),
            weights: nil)
        _ = try decoder.gradient(prompts: TinyModel.prompts(7, seed: "more"), adapter: model.adapter(targets: [.down]))
        {
            crossEntropyGradient($0, $1)
        }
        _ = try decoder.embeddings(
            prompts: TinyModel.prompts(4), source: EmbeddingSource(layer: 1, pooling: .mean))
        #expect(try run(decoder, model) == expected)
    }

    @Test("Results in bf16 are close to those in f32", arguments: [TinyModel.llama, .qwen2, .qwen3])
    func precision(model: TinyModel) throws {
        let prompts = TinyModel.prompts(10)
        let (exact, logits) = try model.decoder(.f32).gradient(prompts: prompts, adapter: model.adapter()) {
            crossEntropyGradient($0, $1)
        }
        let (rounded, roundedLogits) = try model.decoder(.bf16).gradient(prompts: prompts, adapter: model.adapter()) {
            crossEntropyGradient($0, $1)
        }
        for (left, right) in zip(logits, roundedLogits) { #expect(abs(left.margin - right.margin) < 5e-2) }
        func dot(_ left: [Float], _ right: [Float]) -> Double {
            zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let cosine = dot(exact, rounded) / (dot(exact, exact) * dot(rounded, rounded)).squareRoot()
        #expect(cosine > 0.999)
        #expect(logits != roundedLogits)
    }
}
