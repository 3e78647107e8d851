import Compute
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Training in slices")
struct TrainingInSlicesTests {
    private static func specification(
        slices: Int, epochs: Int = 2, warmup: Int = 0, schedule: RateSchedule = .constant, dropout: Double = 0,
        decay: Double = 0, heldOut: Double = 0, averaging: WeightAveraging = .none
    ) -> TrainingSpecification {
        TrainingSpecification(
            base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]),
            seed: 3, epochs: epochs, batch: 4, learningRate: 0.02, warmupSteps: warmup, weightDecay: decay,
            schedule: schedule, dropout: dropout, heldOut: heldOut, slices: slices,
            averaging: averaging)
    }

    /// 40 users with two prompts each, dealt by user; somebody is in every slice.
    private static func prompts(_ specification: TrainingSpecification) -> [TrainingPrompt] {
        var prompts = letterPrompts(80)
        let dealing = SliceDealing(specification)
        for index in prompts.indices { prompts[index].slice = dealing.slice(ofUser: "user \(index / 2)") }
        return prompts
    }

    private func train(
        _ prompts: [TrainingPrompt], _ specification: TrainingSpecification, from first: TrainingStage? = nil,
        model: LetterModel = LetterModel(), arithmetic: String = "a"
    ) throws -> (trained: TrainedAdapter, stages: [TrainingStage]) {
        var stages: [TrainingStage] = []
        let trained = try AdapterTraining.train(
            model: model, tokenizer: ByteTokenizer(), samples: prompts, specification: specification,
            stages: StageKeeping(arithmetic: arithmetic, first: first) { stages.append($0) })
        return (trained, stages)
    }

    /// Every option that a step may depend on.
    private static let options = [
        specification(slices: 4), specification(slices: 4, warmup: 11, schedule: .linear, decay: 0.1),
        specification(slices: 4, dropout: 0.3), specification(slices: 3, epochs: 1, warmup: 3),
        specification(slices: 4, schedule: .linear, averaging: .steps),
    ]

    @Test("A training that begins at any of its stages ends with the same bytes", arguments: options)
    func resuming(specification: TrainingSpecification) throws {
        let prompts = Self.prompts(specification)
        let (whole, stages) = try train(prompts, specification)
        try #require(stages.map(\.slice) == Array(1..<specification.slices))
        #expect(Set(stages.map(\.name)).count == stages.count)
        var slices = try #require(whole.report.slices)
        slices.stages = nil
        #expect(slices == SlicesReport(count: specification.slices, first: 1, tokens: whole.report.tokens))
        for stage in stages {
            let model = LetterModel()
            let (resumed, later) = try train(prompts.reversed(), specification, from: stage, model: model)
            #expect(resumed.adapter.safetensorsBytes() == whole.adapter.safetensorsBytes())
            #expect(later == Array(stages[stage.slice...]))
            #expect(resumed.report.epochLosses == whole.report.epochLosses)
            #expect(resumed.report.steps == whole.report.steps && resumed.report.tokens == whole.report.tokens)
            #expect(resumed.report.slices?.first == stage.slice + 1)
            #expect(resumed.report.slices?.tokens == whole.report.tokens - stage.tokens)
            #expect(model.asked.joined().reduce(0) { $0 + $1.count } == resumed.report.slices?.tokens)
        }
    }

    @Test("One slice is the training that there was before there were slices")
    func oneSlice() throws {
        let plain = Self.specification(slices: 1)
        let prompts = letterPrompts(30)
        let (trained, stages) = try train(prompts, plain)
        let before = try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: prompts, specification: plain)
        #expect(trained.adapter == before.adapter && stages.isEmpty)
        #expect(try trained.adapter == plainly(prompts, plain))
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        for text in [try encoder.encode(plain), try encoder.encode(trained.report), try encoder.encode(prompts)] {
            #expect(!String(decoding: text, as: UTF8.self).contains("slice"))
        }
        #expect(try JSONDecoder().decode(TrainingSpecification.self, from: encoder.encode(plain)).slices == 1)
        let sliced = Self.specification(slices: 4)
        #expect(try JSONDecoder().decode(TrainingSpecification.self, from: encoder.encode(sliced)) == sliced)
    }

    /// The training in one slice, written down once more: as it was before there were slices.
    private func plainly(_ prompts: [TrainingPrompt], _ specification: TrainingSpecification) throws -> Adapter {
        let model = LetterModel()
        let sorted = prompts.sorted { $0.id < $1.id }
        let layout = AdapterLayout(model: model.configuration, configuration: specification.lora)
        var adapter = Adapter.initial(layout: layout, seed: specification.seed)
        var optimiser = AdamW(count: layout.count, weightDecay: Float(specification.weightDecay))
        for epoch in 0..<specification.epochs {
            let order = AdapterTraining.order(of: sorted.map(\.id), epoch: epoch, seed: specification.seed)
            for start in stride(from: 0, to: order.count, by: specification.batch) {
                let batch = order[start..<min(start + specification.batch, order.count)].map { sorted[$0] }
                let gradient = try model.gradient(
                    prompts: batch.map { ByteTokenizer().encode($0.text) }, adapter: adapter
                ) { index, logits in
                    let probability = Metrics.probability(margin: Double(logits.margin))
                    let slope = Float((probability - (batch[index].label ? 1 : 0)) / Double(batch.count))
                    return AnswerLogits(yes: slope, no: -slope)
                }.gradient
                optimiser.step(
                    &adapter.values, gradient: gradient, learningRate: Float(specification.learningRate))
            }
        }
        return adapter
    }

    @Test("Slices come one after the other, each with all its epochs")
    func order() throws {
        let specification = Self.specification(slices: 4)
        let prompts = Self.prompts(specification)
        let model = LetterModel()
        _ = try train(prompts, specification, model: model)
        let dealing = SliceDealing(specification)
        let counts = try (1...4).map { slice in try prompts.count { try dealing.slice(of: $0) == slice } }
        #expect(counts.allSatisfy { $0 > 0 })
        let batches = counts.map { count in
            stride(from: 0, to: count, by: 4).map { min(4, count - $0) }
        }
        #expect(model.asked.map(\.count) == batches.flatMap { $0 + $0 })
        #expect(try AdapterTraining.stepCount(of: prompts, specification: specification) == model.asked.count)
    }

    @Test("Who leaves slice j leaves the stages before it as they are, and those of a training that never saw them")
    func forgetting() throws {
        let specification = Self.specification(slices: 4, schedule: .linear)
        let prompts = Self.prompts(specification)
        let stages = try train(prompts, specification).stages
        let dealing = SliceDealing(specification)
        for user in 0..<40 {
            let slice = dealing.slice(ofUser: "user \(user)")
            let retained = prompts.enumerated().filter { $0.offset / 2 != user }.map(\.element)
            let fresh = try train(retained, specification)
            #expect(fresh.stages.prefix(slice - 1) == stages.prefix(slice - 1))
            for (old, new) in zip(stages, fresh.stages).dropFirst(slice - 1) {
                #expect(old.name != new.name && old.values != new.values)
            }
            let resumed = try train(retained, specification, from: slice > 1 ? stages[slice - 2] : nil)
            #expect(resumed.trained.adapter == fresh.trained.adapter)
            #expect(resumed.trained.report.slices?.first == slice)
        }
    }

    @Test(
        "Averaged, the adapter after a slice is the mean over all steps up to it, of all alike or of later ones more",
        arguments: [1, 4], [WeightAveraging.steps, .polynomial])
    func averaging(slices: Int, averaging: WeightAveraging) throws {
        let averaged = Self.specification(slices: slices, schedule: .linear, averaging: averaging)
        let prompts = Self.prompts(averaged)
        let model = LetterModel()
        let (mean, stages) = try train(prompts, averaged, model: model)
        var plain = averaged
        plain.averaging = .none
        let (last, ends) = try train(prompts, plain)
        #expect(mean.adapter != last.adapter && mean.report.epochLosses == last.report.epochLosses)
        #expect(mean.report.adapter == mean.adapter.contentName)
        #expect(Set(stages.map(\.name)).isDisjoint(with: ends.map(\.name)))
        // The model was asked with the parameters before each step; the last ones follow from the training without averaging.
        let after = model.adapters.dropFirst().map(\.values) + [last.adapter.values]
        try #require(after.count == mean.report.steps)
        let counts = try (1...slices).map { slice in
            let dealing = SliceDealing(averaged)
            return AdapterTraining.stepCount(
                samples: try prompts.count { try dealing.slice(of: $0) == slice }, specification: averaged)
        }
        // Of step t times 1, or times t(t + 1)(t + 2).
        let weights = after.indices.map { step in
            averaging == .steps ? 1 : (1...3).reduce(1.0) { $0 * Double(step + $1) }
        }
        var steps = 0
        for (count, values) in zip(counts, stages.map(\.values) + [mean.adapter.values]) {
            steps += count
            let all = weights.prefix(steps).reduce(0, +)
            for place in values.indices {
                let expected = zip(after, weights).prefix(steps).reduce(0) { $0 + Double($1.0[place]) * $1.1 } / all
                #expect(abs(Double(values[place]) - expected) < 1e-6)
            }
        }
        #expect(steps == after.count)
    }

    @Test("With held-out prompts an epoch is judged by the mean, and the mean is kept")
    func averagingHeldOut() throws {
        let prompts = letterPrompts(60)
        let averaged = Self.specification(slices: 1, epochs: 3, heldOut: 0.3, averaging: .steps)
        let whole = try train(prompts, averaged).trained
        let chosen = try #require(whole.report.heldOut?.epoch)
        let each = whole.report.steps / averaged.epochs
        // What each step begins at, so what the one before it came to; the rate does not depend on how many epochs there are. A batch
        // has four prompts at most, what is judged has more.
        var longer = averaged
        longer.epochs = chosen + 1
        let model = LetterModel()
        _ = try train(prompts, longer, model: model)
        let steps = zip(model.asked, model.adapters).filter { $0.0.count <= averaged.batch }.map(\.1.values)
        let after = steps.dropFirst().prefix(chosen * each)
        try #require(after.count == chosen * each)
        for place in whole.adapter.values.indices {
            let expected = after.reduce(0) { $0 + Double($1[place]) } / Double(after.count)
            #expect(abs(Double(whole.adapter.values[place]) - expected) < 1e-6)
        }
        #expect(after.last != whole.adapter.values)
    }

    @Test("Dealing moves nobody when others come or go, and spreads evenly")
    func dealing() throws {
        let dealing = SliceDealing(Self.specification(slices: 8))
        let places = (0..<8000).map { dealing.slice(ofUser: "u\($0)") }
        for slice in 1...8 { #expect((850...1150).contains(places.count { $0 == slice })) }
        let prompts = letterPrompts(4000)
        let dealt = try prompts.map { try dealing.slice(of: $0) }
        for slice in 1...8 { #expect((400...600).contains(dealt.count { $0 == slice })) }
        #expect(try prompts.prefix(10).map { try dealing.slice(of: $0) } == Array(dealt.prefix(10)))
        var other = Self.specification(slices: 8)
        other.seed = 4
        #expect((0..<8000).map { SliceDealing(other).slice(ofUser: "u\($0)") } != places)
        for partition in PartitionMethod.allCases {
            let isByUser = partition == .user || partition == .userHash
            #expect((Self.specification(slices: 8).dealing(of: partition) != nil) == isByUser)
            #expect(Self.specification(slices: 1).dealing(of: partition) == nil)
        }
    }

    @Test("A prompt's slice is part of its digest, and of nothing where it has none")
    func digest() {
        var prompt = letterPrompts(1)[0]
        let digest = prompt.digest
        prompt.slice = 1
        #expect(prompt.digest != digest)
        let first = prompt.digest
        prompt.slice = 2
        #expect(prompt.digest != first)
    }

    @Test("Empty slices are passed over: more slices than prompts, and all prompts in one slice")
    func emptySlices() throws {
        let many = Self.specification(slices: 64)
        let (few, stages) = try train(letterPrompts(3), many)
        #expect(stages.count <= 3 && few.report.steps == 2 * 3)
        for stage in stages {
            #expect(try train(letterPrompts(3), many, from: stage).trained.adapter == few.adapter)
        }
        let four = Self.specification(slices: 4)
        for slice in 1...4 {
            var prompts = letterPrompts(10)
            for index in prompts.indices { prompts[index].slice = slice }
            let (trained, stages) = try train(prompts, four)
            #expect(stages.map(\.slice) == (slice < 4 ? [slice] : []))
            #expect(trained.report.slices?.first == 1)
            if let stage = stages.first {
                let again = try train(prompts, four, from: stage)
                #expect(again.trained.adapter == trained.adapter && again.trained.report.slices?.tokens == 0)
            }
        }
    }

    @Test("A stage of other data, another specification, other arithmetic or another shape is refused")
    func foreignStages() throws {
        let specification = Self.specification(slices: 3)
        let prompts = Self.prompts(specification)
        let stages = try train(prompts, specification).stages
        let stage = try #require(stages.first)
        let foreign = UnlearningError.foreignStage(name: stage.name)
        var other = specification
        other.learningRate = 0.03
        #expect(throws: foreign) { try train(prompts, other, from: stage) }
        #expect(throws: foreign) { try train(prompts, specification, from: stage, arithmetic: "b") }
        let dealing = SliceDealing(specification)
        let early = try #require(try prompts.first { try dealing.slice(of: $0) == 1 })
        #expect(throws: foreign) { try train(prompts.filter { $0.id != early.id }, specification, from: stage) }
        var unsliced = specification
        unsliced.slices = 1
        #expect(throws: foreign) { try train(prompts, unsliced, from: stage) }
    }

    @Test("What cannot be a function of the slices so far is refused, and so is a slice that there is not")
    func refusals() throws {
        #expect(throws: UnlearningError.self) { try Self.specification(slices: 2, heldOut: 0.1).check() }
        #expect(throws: UnlearningError.self) { try Self.specification(slices: 0).check() }
        #expect(throws: UnlearningError.self) { try Self.specification(slices: 1025).check() }
        try Self.specification(slices: 1024).check()
        for slice in [0, 3, -1, Int.max] {
            var prompts = letterPrompts(4)
            prompts[2].slice = slice
            #expect(throws: UnlearningError.noSuchSlice(sample: prompts[2].id, slice: slice, slices: 2)) {
                try train(prompts, Self.specification(slices: 2))
            }
        }
    }
}
