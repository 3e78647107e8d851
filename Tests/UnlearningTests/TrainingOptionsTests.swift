import Compute
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Options of a training")
struct TrainingOptionsTests {
    private static func specification(
        epochs: Int = 4, rate: Double = 0.02, warmup: Int = 0, schedule: RateSchedule = .constant, dropout: Double = 0,
        heldOut: Double = 0
    ) -> TrainingSpecification {
        TrainingSpecification(
            base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]),
            seed: 3, epochs: epochs, batch: 8, learningRate: rate, warmupSteps: warmup, schedule: schedule,
            dropout: dropout, heldOut: heldOut)
    }

    private func train(
        _ samples: [TrainingPrompt], _ specification: TrainingSpecification, model: LetterModel = LetterModel()
    ) throws -> TrainedAdapter {
        try AdapterTraining.train(
            model: model, tokenizer: ByteTokenizer(), samples: samples, specification: specification)
    }

    @Test("A specification that uses none of them is written as before there were any, and older ones are read")
    func sameBytes() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let plain = String(decoding: try encoder.encode(Self.specification()), as: UTF8.self)
        #expect(
            plain == #"{"base":"base","batch":8,"epochs":4,"learningRate":0.02,"lora":{"alpha":4,"rank":2,"#
                + #""targets":["q_proj","v_proj"]},"precision":"f32","seed":3,"warmupSteps":0,"weightDecay":0}"#)
        #expect(try JSONDecoder().decode(TrainingSpecification.self, from: Data(plain.utf8)) == Self.specification())
        let full = Self.specification(schedule: .linear, dropout: 0.1, heldOut: 0.2)
        let data = try encoder.encode(full)
        #expect(try JSONDecoder().decode(TrainingSpecification.self, from: data) == full)
        #expect(String(decoding: data, as: UTF8.self).contains(#""dropout":0.1,"epochs":4,"heldOut":0.2"#))
    }

    @Test("A linear schedule falls from the peak to one step's share")
    func linear() {
        let rates = { (warmup: Int) in
            (1...5).map { Self.specification(rate: 1, warmup: warmup, schedule: .linear).learningRate(step: $0, of: 5) }
        }
        #expect(rates(0) == [1, 0.8, 0.6, 0.4, 0.2])
        #expect(rates(2) == [0.5, 1, 0.75, 0.5, 0.25])
        #expect(rates(9) == (1...5).map { Float($0) / 9 })
        let constant = Self.specification(rate: 1, warmup: 2)
        #expect((1...4).map { constant.learningRate(step: $0, of: 4) } == [0.5, 1, 1, 1])
    }

    @Test("Every option gives another adapter, and the same one again whatever the order of the samples")
    func purity() throws {
        let samples = letterPrompts(40)
        let options = [
            Self.specification(), Self.specification(schedule: .linear), Self.specification(dropout: 0.2),
            Self.specification(heldOut: 0.3),
        ]
        var names: Set<String> = []
        for option in options {
            let made = try train(samples, option)
            names.insert(made.report.adapter)
            #expect(try train(samples.reversed(), option).adapter == made.adapter)
        }
        #expect(names.count == options.count)
    }

    @Test("Dropout masks whole features, keeps the mean, and its gradient is that of the masked loss")
    func dropout() throws {
        let specification = Self.specification(dropout: 0.25)
        let layout = AdapterLayout(model: LetterModel().configuration, configuration: specification.lora)
        let dropout = try #require(FeatureDropout(specification))
        var mask = [Float](repeating: 1, count: layout.count)
        dropout.mask(&mask, layout: layout, step: 7)
        var (dropped, features) = (0, 0)
        for site in layout.sites {
            for input in 0..<site.inputs {
                let column = (0..<2).map { mask[site.offsetA + $0 * site.inputs + input] }
                #expect(column[0] == column[1] && (column[0] == 0 || column[0] == 1 / (1 - 0.25)))
                if column[0] == 0 { dropped += 1 }
                features += 1
            }
            let b = mask[site.offsetB..<(site.offsetB + 2 * site.outputs)]
            #expect(b.allSatisfy { $0 == 1 })
        }
        #expect(abs(Double(dropped) / Double(features) - 0.25) < 4 * (0.25 * 0.75 / Double(features)).squareRoot())
        var other = [Float](repeating: 1, count: layout.count)
        dropout.mask(&other, layout: layout, step: 8)
        #expect(other != mask)

        // Finite differences of the loss under the mask.
        let (model, prompts) = (LetterModel(), letterPrompts(6).map { ByteTokenizer().encode($0.text) })
        let random = CounterGenerator(seed: 5)
        let adapter = Adapter(layout: layout, values: (0..<layout.count).map { random.uniform(at: $0) - 0.5 })
        func sum(_ values: [Float]) throws -> Double {
            var masked = values
            dropout.mask(&masked, layout: layout, step: 7)
            let logits = try model.answerLogits(
                prompts: prompts, adapters: AdapterMixture([Adapter(layout: layout, values: masked)]), weights: nil)
            return logits.reduce(0) { $0 + Double($1.margin) }
        }
        var masked = adapter
        dropout.mask(&masked.values, layout: layout, step: 7)
        var gradient = try model.gradient(prompts: prompts, adapter: masked) { _, _ in
            AnswerLogits(yes: 1, no: -1)
        }.gradient
        dropout.mask(&gradient, layout: layout, step: 7)
        for index in stride(from: 0, to: layout.count, by: max(1, layout.count / 40)) {
            var (up, down) = (adapter.values, adapter.values)
            up[index] += 1e-2
            down[index] -= 1e-2
            let slope = (try sum(up) - sum(down)) / Double(up[index] - down[index])
            #expect(abs(slope - Double(gradient[index])) < 2e-2 * max(1, abs(slope)))
        }
    }

    @Test("Held-out prompts are never trained on, and the adapter is that of the epoch that they like best")
    func heldOut() throws {
        let samples = letterPrompts(60)
        // A rate that overshoots, so that the last epoch is not the best.
        let specification = Self.specification(epochs: 6, rate: 0.5, heldOut: 0.3)
        let model = LetterModel()
        let trained = try train(samples, specification, model: model)
        let held = try #require(trained.report.heldOut)
        let chosen = samples.filter { specification.holdsOut($0.id) }
        #expect(held.prompts == chosen.count && (8...30).contains(chosen.count))
        #expect(trained.report.prompts == 60 && trained.report.steps == 6 * ((60 - chosen.count + 7) / 8))
        let texts = Set(chosen.map { ByteTokenizer().encode($0.text) })
        let seen = Set(model.asked.joined())
        let others = Set(samples.filter { !specification.holdsOut($0.id) }.map { ByteTokenizer().encode($0.text) })
        #expect(seen.isSuperset(of: others) && seen.isDisjoint(with: texts.subtracting(others)))
        #expect(held.epochLosses.count == 6)
        #expect(held.epochLosses.firstIndex(of: held.epochLosses.min() ?? 0) == held.epoch - 1)
        // The same as a training that ends there.
        var shorter = specification
        shorter.epochs = held.epoch
        #expect(try train(samples, shorter).adapter == trained.adapter)
        let logits = try LetterModel().answerLogits(
            prompts: chosen.map { ByteTokenizer().encode($0.text) }, adapters: AdapterMixture([trained.adapter]),
            weights: nil)
        let losses = zip(logits, chosen).map { log1p(exp(Double($1.label ? -$0.margin : $0.margin))) }
        #expect(abs(losses.reduce(0, +) / Double(chosen.count) - (held.epochLosses.min() ?? 0)) < 1e-9)
    }

    @Test("Whether a prompt is held out depends on its id alone; where all would be, none is")
    func stable() throws {
        let specification = Self.specification(heldOut: 0.5)
        let ids = (0..<200).map { "p\($0)" }
        let all = Set(ids.filter(specification.holdsOut))
        let some = Set(ids.dropLast(50).filter(specification.holdsOut))
        #expect(some == all.intersection(ids.dropLast(50)) && (70...130).contains(all.count))
        let lost = Array(all).sorted().prefix(3).map {
            TrainingPrompt(id: $0, instruction: "i", input: "abc", label: true)
        }
        let trained = try train(Array(lost), specification)
        #expect(trained.report.heldOut == nil && trained.report.prompts == 3)
    }

    @Test("Values outside their bounds are refused", arguments: [(-0.1, 0.0), (0.95, 0), (0, 0.6), (0, -1), (.nan, 0)])
    func bounds(dropout: Double, heldOut: Double) {
        #expect {
            try Self.specification(dropout: dropout, heldOut: heldOut).check()
        } throws: { error in
            guard case UnlearningError.invalidSpecification = error else { return false }
            return true
        }
    }
}
