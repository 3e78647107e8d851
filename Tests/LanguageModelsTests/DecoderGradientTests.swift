import Foundation
import LanguageModels
import Testing

struct DecoderGradientTests {
    /// Σ of the two-way cross-entropy, in double precision.
    private func loss(_ decoder: Decoder, _ prompts: [[Int32]], _ adapter: Adapter) throws -> Double {
        let logits = try decoder.answerLogits(prompts: prompts, adapters: AdapterMixture([adapter]), weights: nil)
        return logits.enumerated().reduce(0) { sum, entry in
            let margin = Double(entry.element.margin) * (entry.offset % 2 == 1 ? 1 : -1)
            return sum + log1p(exp(-margin))
        }
    }

    /// Derivative along a direction, from four points.
    private func derivative(
        _ decoder: Decoder, _ prompts: [[Int32]], _ adapter: Adapter, _ direction: [Float], step: Float
    ) throws -> Double {
        func at(_ factor: Float) throws -> Double {
            var moved = adapter
            for index in direction.indices { moved.values[index] += factor * step * direction[index] }
            return try loss(decoder, prompts, moved)
        }
        let (near, far) = (try at(1) - at(-1), try at(2) - at(-2))
        return (8 * near - far) / (12 * Double(step))
    }

    @Test(
        "The gradient of every factor equals finite differences",
        arguments: [TinyModel.llama, .qwen2, .qwen3, .smollm3],
        LinearSite.allCases)
    func everySite(model: TinyModel, site: LinearSite) throws {
        let decoder = try model.decoder()
        let adapter = model.adapter()
        let prompts = TinyModel.prompts(5)
        let (gradient, _) = try decoder.gradient(prompts: prompts, adapter: adapter) { crossEntropyGradient($0, $1) }
        for place in adapter.layout.sites where place.site == site {
            let rank = adapter.layout.configuration.rank
            for range in [
                place.offsetA..<(place.offsetA + rank * place.inputs),
                place.offsetB..<(place.offsetB + rank * place.outputs),
            ] {
                let norm = range.map { gradient[$0] * gradient[$0] }.reduce(0, +).squareRoot()
                var direction = [Float](repeating: 0, count: gradient.count)
                for index in range { direction[index] = gradient[index] / norm }
                let expected = try derivative(decoder, prompts, adapter, direction, step: 0.02)
                #expect(
                    abs(Double(norm) - expected) < 1e-3 * Double(norm) + 2e-5,
                    "layer \(place.layer) \(range): \(norm) against \(expected)")
            }
        }
    }

    @Test("Adapters on some sites get the gradients that adapters on all sites would", arguments: LinearSite.allCases)
    func subsets(site: LinearSite) throws {
        let model = TinyModel.llama
        let decoder = try model.decoder()
        let prompts = TinyModel.prompts(4)
        // All other sites' B is zero, so that the functions agree.
        var all = model.adapter()
        for place in all.layout.sites where place.site != site {
            for index in 0..<(place.outputs * 4) { all.values[place.offsetB + index] = 0 }
        }
        let one = model.adapter(targets: [site])
        let (complete, _) = try decoder.gradient(prompts: prompts, adapter: all) { crossEntropyGradient($0, $1) }
        let (part, _) = try decoder.gradient(prompts: prompts, adapter: one) { crossEntropyGradient($0, $1) }
        for (place, source) in zip(one.layout.sites, all.layout.sites.filter { $0.site == site }) {
            let count = 4 * (place.inputs + place.outputs)
            for index in 0..<count {
                let (found, expected) = (part[place.offsetA + index], complete[source.offsetA + index])
                #expect(abs(found - expected) < 1e-5 + 1e-4 * abs(expected))
            }
        }
    }

    @Test("Losses are asked for in the order of the prompts, once each")
    func order() throws {
        let model = TinyModel.llama
        var asked: [Int] = []
        let prompts = TinyModel.prompts(9)
        let decoder = try model.decoder(tokenBudget: 60)
        let (_, logits) = try decoder.gradient(prompts: prompts, adapter: model.adapter()) { index, _ in
            asked.append(index)
            return AnswerLogits(yes: 1, no: 0)
        }
        #expect(asked == Array(0..<9))
        let scored = try decoder.answerLogits(
            prompts: prompts, adapters: AdapterMixture([model.adapter()]), weights: nil)
        for (left, right) in zip(logits, scored) { #expect(abs(left.margin - right.margin) < 1e-5) }
    }

    @Test("A gradient is the sum of its prompts' gradients")
    func sum() throws {
        let model = TinyModel.llama
        let prompts = TinyModel.prompts(8)
        let adapter = model.adapter()
        let decoder = try model.decoder(tokenBudget: 80)
        let (together, _) = try decoder.gradient(prompts: prompts, adapter: adapter) { crossEntropyGradient($0, $1) }
        var sum = [Float](repeating: 0, count: together.count)
        for (index, prompt) in prompts.enumerated() {
            let (one, _) = try decoder.gradient(prompts: [prompt], adapter: adapter) { _, logits in
                crossEntropyGradient(index, logits)
            }
            for (position, value) in one.enumerated() { sum[position] += value }
        }
        let scale = sum.map(abs).max() ?? 0
        for (left, right) in zip(together, sum) { #expect(abs(left - right) < 2e-5 * scale + 1e-6) }
    }
}
