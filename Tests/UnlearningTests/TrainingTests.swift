import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Training an adapter")
struct TrainingTests {
    private static let lora = LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value])

    private static func specification(
        seed: UInt64 = 3, epochs: Int = 2, batch: Int = 8, rate: Double = 0.02, warmup: Int = 0, decay: Double = 0
    ) -> TrainingSpecification {
        TrainingSpecification(
            base: "base", precision: .f32, lora: lora, seed: seed, epochs: epochs, batch: batch, learningRate: rate,
            warmupSteps: warmup, weightDecay: decay)
    }

    private func train(
        _ samples: [TrainingPrompt], _ specification: TrainingSpecification, model: LetterModel = LetterModel()
    ) throws -> TrainedAdapter {
        try AdapterTraining.train(
            model: model, tokenizer: ByteTokenizer(), samples: samples, specification: specification)
    }

    @Test("The adapter learns what the prompts say")
    func learning() throws {
        let trained = try train(letterPrompts(64), Self.specification(epochs: 10))
        #expect(trained.report.epochLosses.count == 10)
        #expect((trained.report.epochLosses.last ?? 1) < 0.1)
        #expect((trained.report.epochLosses.first ?? 0) > (trained.report.epochLosses.last ?? 1))
        let test = letterPrompts(50, seed: 99)
        let logits = try LetterModel().answerLogits(
            prompts: test.map { ByteTokenizer().encode($0.text) }, adapters: AdapterMixture([trained.adapter]),
            weights: nil)
        #expect(Metrics(margins: logits.map(\.margin), labels: test.map(\.label)).auc == 1)
    }

    @Test("The result is a function of data, specification and seed; not of the samples' order", arguments: 0..<5)
    func purity(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let samples = letterPrompts(37)
        let first = try train(samples, Self.specification())
        let permuted = try train(samples.shuffled(using: &random), Self.specification())
        #expect(permuted.adapter == first.adapter)
        #expect(permuted.report.epochLosses == first.report.epochLosses)
        // A model that has been used before gives the same.
        let used = LetterModel()
        _ = try train(letterPrompts(5, seed: 2), Self.specification(), model: used)
        #expect(try train(samples, Self.specification(), model: used).adapter == first.adapter)
        #expect(try train(samples, Self.specification(seed: 4)).adapter != first.adapter)
        #expect(try train(Array(samples.dropLast()), Self.specification()).adapter != first.adapter)
    }

    @Test("Every epoch sees every sample once, in batches, each epoch in another order")
    func order() throws {
        let samples = letterPrompts(19)
        let model = LetterModel()
        let trained = try train(samples, Self.specification(epochs: 3, batch: 8), model: model)
        #expect(model.asked.map(\.count) == [8, 8, 3, 8, 8, 3, 8, 8, 3])
        #expect(trained.report.steps == 9)
        #expect(AdapterTraining.stepCount(samples: 19, specification: Self.specification(epochs: 3, batch: 8)) == 9)
        let all = samples.map { ByteTokenizer().encode($0.text) }
        #expect(trained.report.tokens == 3 * all.reduce(0) { $0 + $1.count })
        let epochs = (0..<3).map { epoch in Array(model.asked[(3 * epoch)..<(3 * epoch + 3)].joined()) }
        let sorted = { (prompts: [[Int32]]) in prompts.sorted { $0.lexicographicallyPrecedes($1) } }
        for epoch in epochs { #expect(sorted(epoch) == sorted(all)) }
        #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2])
    }

    @Test("Leaving a sample out does not change the order of the others")
    func orderWithout() throws {
        let samples = (0..<12).map {
            TrainingPrompt(id: "p\($0)", instruction: "i", input: String(repeating: "x", count: $0), label: true)
        }
        func order(_ samples: [TrainingPrompt]) throws -> [Int] {
            let model = LetterModel()
            _ = try train(samples, Self.specification(epochs: 1, batch: 4), model: model)
            return model.asked.joined().map(\.count)
        }
        let whole = try order(samples)
        let missing = samples[5].text.utf8.count
        #expect(try order(samples.filter { $0.id != "p5" }) == whole.filter { $0 != missing })
    }

    @Test("The loss is the mean over the batch of the two-way logistic loss")
    func slopes() throws {
        let model = LetterModel()
        _ = try train(letterPrompts(10), Self.specification(epochs: 1, batch: 8), model: model)
        // The first adapter adds nothing, so that every probability is one half.
        #expect(model.slopes[0].allSatisfy { abs(abs($0.yes) - 0.5 / 8) < 1e-7 && $0.no == -$0.yes })
        #expect(model.slopes[1].count == 2)
    }

    @Test("Learning rate, warm-up and weight decay are honoured")
    func optimiser() throws {
        let samples = letterPrompts(8)
        let model = LetterModel()
        let layout = AdapterLayout(model: model.configuration, configuration: Self.lora)
        let initial = Adapter.initial(layout: layout, seed: 3)
        let site = try #require(layout.sites.first)
        // B starts at zero, so that the first step leaves A to weight decay, and moves B by the rate.
        let one = try train(samples, Self.specification(epochs: 1, rate: 0.02, warmup: 4, decay: 0.5)).adapter
        for index in site.offsetA..<site.offsetB {
            #expect(abs(one.values[index] - initial.values[index] * (1 - 0.005 * 0.5)) < 1e-7)
        }
        let moves = one.values[site.offsetB..<(site.offsetB + site.outputs * 2)].map(abs)
        #expect(moves.allSatisfy { abs($0 - 0.005) < 1e-5 })
        let full = try train(samples, Self.specification(epochs: 1, rate: 0.02)).adapter
        #expect(abs(abs(full.values[site.offsetB]) - 0.02) < 1e-5)
        #expect(full.values[site.offsetA] == initial.values[site.offsetA])
        // The fifth step on has the whole rate.
        #expect(
            try train(samples, Self.specification(epochs: 6, warmup: 1)).adapter
                == train(samples, Self.specification(epochs: 6)).adapter)
    }

    @Test("Rank, scale and targets are honoured")
    func shape() throws {
        var specification = Self.specification()
        specification.lora = LoRAConfiguration(rank: 3, alpha: 6, targets: [.up])
        let adapter = try train(letterPrompts(8), specification).adapter
        #expect(adapter.layout.sites.map(\.site) == [.up])
        #expect(adapter.layout.count == 3 * 4 + 4 * 3)
    }

    @Test("Progress comes after every step")
    func progress() throws {
        var seen: [TrainingProgress] = []
        let samples = letterPrompts(19)
        let trained = try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: samples, specification: Self.specification(),
            progress: { seen.append($0) })
        #expect(seen.map(\.step) == Array(1...6))
        #expect(seen.map(\.epoch) == [0, 0, 0, 1, 1, 1])
        #expect(seen.allSatisfy { $0.steps == 6 && $0.totalTokens == trained.report.tokens && $0.loss.isFinite })
        #expect(seen.last?.tokens == trained.report.tokens)
    }

    @Test("A cancelled training stops before its next step")
    func cancellation() {
        let model = LetterModel()
        var steps = 0
        #expect(throws: UnlearningError.cancelled) {
            try AdapterTraining.train(
                model: model, tokenizer: ByteTokenizer(), samples: letterPrompts(40),
                specification: Self.specification(), progress: { _ in steps += 1 }, isCancelled: { steps == 3 })
        }
        #expect(model.asked.count == 3)
    }

    @Test("An adapter that is not made of numbers is never returned")
    func notFinite() {
        let margins = LetterModel()
        margins.brokenMarginsAfter = 1
        #expect(throws: UnlearningError.notFinite(what: "the loss of step 2")) {
            try train(letterPrompts(24), Self.specification(epochs: 1), model: margins)
        }
        let gradients = LetterModel()
        gradients.brokenGradientsAfter = 2
        #expect(throws: UnlearningError.notFinite(what: "the adapter after step 3")) {
            try train(letterPrompts(24), Self.specification(epochs: 1), model: gradients)
        }
    }

    @Test("An overlong prompt stops nobody's training: the model reads its end, which decides the adapter")
    func overlong() throws {
        var long = letterPrompts(4)
        long[1].input = String(repeating: "A", count: 5000)
        let first = try train(long, Self.specification())
        long[1].input = String(repeating: "B", count: 200) + String(repeating: "A", count: 4800)
        #expect(try train(long, Self.specification()).adapter == first.adapter)
        long[1].input = String(repeating: "A", count: 4800) + String(repeating: "B", count: 200)
        #expect(try train(long, Self.specification()).adapter != first.adapter)
    }

    @Test("Missing and repeated prompts are refused by name")
    func samples() {
        let prompts = letterPrompts(4)
        #expect(throws: UnlearningError.noSamples) { try train([], Self.specification()) }
        #expect(throws: UnlearningError.duplicateSample(id: "prompt 2")) {
            try train(prompts + [prompts[2]], Self.specification())
        }
    }

    @Test(
        "An impossible specification is refused",
        arguments: [
            specification(epochs: 0), specification(batch: 0), specification(rate: 0), specification(rate: .nan),
            specification(rate: .infinity), specification(warmup: -1), specification(decay: -1),
            specification(decay: .nan),
            TrainingSpecification(base: "b", precision: .f32, lora: LoRAConfiguration(rank: 0, alpha: 1)),
            TrainingSpecification(base: "b", precision: .f32, lora: LoRAConfiguration(rank: 1, alpha: .nan)),
            TrainingSpecification(base: "b", precision: .f32, lora: LoRAConfiguration(targets: [])),
        ])
    func specifications(specification: TrainingSpecification) {
        #expect(
            performing: {
                try train(letterPrompts(4), specification)
            },
            throws: {
                guard case .invalidSpecification = $0 as? UnlearningError else { return false }
                return true
            })
    }
}
