import LanguageModels
import Testing

struct DecoderMixtureTests {
    /// The base model with the mixture merged into its weights.
    struct Merged: Checkpoint {
        var base: TinyModel
        var mixture: AdapterMixture
        var weights: [Float]
        var configuration: ModelConfiguration { base.configuration }
        var digest: String { "merged" }
        func shape(of name: String) -> [Int]? { base.shape(of: name) }

        func floats(of name: String) throws -> [Float] {
            var values = try base.floats(of: name)
            let layout = mixture.adapters[0].layout
            let rank = layout.configuration.rank
            for site in layout.sites
            where name.contains("layers.\(site.layer).") && name.contains("\(site.site.rawValue).weight") {
                func a(_ k: Int, _ row: Int, _ column: Int) -> Float {
                    mixture.adapters[k].values[site.offsetA + row * site.inputs + column]
                }
                func b(_ k: Int, _ row: Int, _ column: Int) -> Float {
                    mixture.adapters[k].values[site.offsetB + row * rank + column]
                }
                let all = mixture.adapters.indices
                for output in 0..<site.outputs {
                    for input in 0..<site.inputs {
                        var sum: Float = 0
                        for row in 0..<rank {
                            switch mixture.rule {
                            case .nonDecomposed:
                                for k in all { sum += weights[k] * b(k, output, row) * a(k, row, input) }
                            case .decomposed:
                                let meanB = all.map { weights[$0] * b($0, output, row) }.reduce(0, +)
                                let meanA = all.map { weights[$0] * a($0, row, input) }.reduce(0, +)
                                sum += meanB * meanA
                            }
                        }
                        values[output * site.inputs + input] += layout.configuration.scale * sum
                    }
                }
            }
            return values
        }
    }

    private func margins(_ checkpoint: any Checkpoint, _ prompts: [[Int32]]) throws -> [Float] {
        let weights = try DecoderWeights(
            checkpoint: checkpoint, precision: .f32, answerTokens: TinyModel.answerTokens)
        return try Decoder(weights: weights, threads: 2).answerLogits(prompts: prompts, adapters: nil, weights: nil)
            .map(\.margin)
    }

    @Test(
        "A mixture with weights of each prompt equals merging it into the weights", arguments: AggregationRule.allCases,
        [[LinearSite.query, .value], LinearSite.allCases])
    func merged(rule: AggregationRule, targets: [LinearSite]) throws {
        let model = TinyModel.llama
        let mixture = AdapterMixture(
            (0..<3).map { model.adapter(rank: 3, targets: targets, name: "adapter\($0)") }, rule: rule)
        let prompts = TinyModel.prompts(6)
        let choices: [[Float]] = [[0.2, 0.5, 0.3], [1, 0, 0], [0.6, 0.1, 0.3]]
        let weights = prompts.indices.map { choices[$0 % 3] }
        let found = try model.decoder().answerLogits(
            prompts: prompts, adapters: mixture, weights: weights.flatMap { $0 })
        for (index, choice) in choices.enumerated() {
            let mine = prompts.indices.filter { $0 % 3 == index }
            let expected = try margins(
                Merged(base: model, mixture: mixture, weights: choice), mine.map { prompts[$0] })
            for (prompt, margin) in zip(mine, expected) { #expect(abs(found[prompt].margin - margin) < 1e-4) }
        }
    }

    @Test("Without weights all adapters count alike", arguments: AggregationRule.allCases)
    func equal(rule: AggregationRule) throws {
        let model = TinyModel.llama
        let mixture = AdapterMixture((0..<4).map { model.adapter(name: "\($0)") }, rule: rule)
        let prompts = TinyModel.prompts(5)
        let decoder = try model.decoder()
        let without = try decoder.answerLogits(prompts: prompts, adapters: mixture, weights: nil)
        let with = try decoder.answerLogits(
            prompts: prompts, adapters: mixture, weights: [Float](repeating: 0.25, count: 20))
        #expect(without == with)
    }

    @Test("A mixture of one equals the adapter, and an adapter without B the base model")
    func single() throws {
        let model = TinyModel.llama
        let prompts = TinyModel.prompts(5)
        let decoder = try model.decoder()
        let base = try decoder.answerLogits(prompts: prompts, adapters: nil, weights: nil)
        let initial = Adapter.initial(layout: model.layout(rank: 8, targets: [.query, .value]), seed: 3)
        #expect(try decoder.answerLogits(prompts: prompts, adapters: AdapterMixture([initial]), weights: nil) == base)
        #expect(initial.values.contains { $0 != 0 })
        let adapter = AdapterMixture([model.adapter()])
        let alone = try decoder.answerLogits(prompts: prompts, adapters: adapter, weights: nil)
        #expect(alone != base)
        let ones = [Float](repeating: 1, count: 5)
        #expect(try decoder.answerLogits(prompts: prompts, adapters: adapter, weights: ones) == alone)
    }
}
