import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Checkpoints in the middle of a slice")
struct CheckpointTests {
    private static func specification(
        slices: Int, epochs: Int = 2, warmup: Int = 0, schedule: RateSchedule = .constant, dropout: Double = 0,
        heldOut: Double = 0, averaging: WeightAveraging = .none
    ) -> TrainingSpecification {
        TrainingSpecification(
            base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]),
            seed: 3, epochs: epochs, batch: 4, learningRate: 0.02, warmupSteps: warmup, weightDecay: 0.1,
            schedule: schedule, dropout: dropout, heldOut: heldOut, slices: slices, averaging: averaging)
    }

    private struct Made {
        var trained: TrainedAdapter
        var kept: [TrainingStage]
        var progress: [TrainingProgress]
        var checkpoints: [TrainingStage] { kept.filter(\.isCheckpoint) }
    }

    private func train(
        _ prompts: [TrainingPrompt], _ specification: TrainingSpecification, from first: TrainingStage? = nil,
        interval: Duration? = .zero, arithmetic: String = "a"
    ) throws -> Made {
        var (kept, progress): ([TrainingStage], [TrainingProgress]) = ([], [])
        let trained = try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: prompts, specification: specification,
            stages: StageKeeping(
                arithmetic: arithmetic, first: first, checkpointInterval: interval, keep: { kept.append($0) }),
            progress: { progress.append($0) })
        return Made(trained: trained, kept: kept, progress: progress)
    }

    @Test(
        "A training that begins at any of its checkpoints ends with the same bytes",
        arguments: [
            specification(slices: 1), specification(slices: 1, warmup: 5, schedule: .linear, dropout: 0.3),
            specification(slices: 3, warmup: 9, schedule: .linear), specification(slices: 2, averaging: .steps),
        ])
    func resuming(specification: TrainingSpecification) throws {
        let prompts = letterPrompts(30)
        let whole = try train(prompts, specification)
        // One after each step but the last of each slice, none of which is empty.
        #expect(whole.checkpoints.count == whole.trained.report.steps - specification.slices)
        #expect(whole.kept.count == whole.trained.report.steps - 1)
        let keeping = try #require(whole.trained.report.keeping)
        #expect(keeping.checkpoints == whole.checkpoints.count && keeping.stages == specification.slices - 1)
        #expect(keeping.seconds > 0 && keeping.seconds < whole.trained.report.seconds)
        #expect(keeping.processorSeconds == keeping.seconds)
        #expect(whole.trained.report.resumedAfter == nil && whole.trained.report.isWhole)
        for checkpoint in whole.checkpoints {
            let resumed = try train(prompts.reversed(), specification, from: try stored(checkpoint))
            #expect(resumed.trained.adapter.safetensorsBytes() == whole.trained.adapter.safetensorsBytes())
            #expect(resumed.trained.report.epochLosses == whole.trained.report.epochLosses)
            #expect(resumed.trained.report.steps == whole.trained.report.steps)
            #expect(resumed.trained.report.tokens == whole.trained.report.tokens)
            #expect(resumed.trained.report.resumedAfter == checkpoint.steps && !resumed.trained.report.isWhole)
            #expect(resumed.kept == whole.kept.filter { $0.steps > checkpoint.steps })
            #expect(resumed.progress.count == whole.trained.report.steps - checkpoint.steps)
            let last = try #require(resumed.progress.last)
            #expect(last.step == last.steps && last.tokens == last.totalTokens)
        }
    }

    private func stored(_ stage: TrainingStage) throws -> TrainingStage {
        var bytes = Data()
        try stage.write { bytes.append($0) }
        var rest = bytes
        let read = try TrainingStage(count: bytes.count) { buffer in
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest = rest.dropFirst(buffer.count)
        }
        #expect(read == stage)
        return read
    }

    @Test("Making them changes neither the adapter nor the stages")
    func noTrace() throws {
        let specification = Self.specification(slices: 3)
        let prompts = letterPrompts(30)
        let plain = try train(prompts, specification, interval: nil)
        let checked = try train(prompts, specification)
        #expect(plain.checkpoints.isEmpty && !checked.checkpoints.isEmpty)
        #expect(plain.trained.adapter == checked.trained.adapter)
        #expect(plain.kept == checked.kept.filter { !$0.isCheckpoint })
    }

    @Test("None is made before it is due")
    func pace() throws {
        let made = try train(letterPrompts(30), Self.specification(slices: 1), interval: .seconds(3600))
        #expect(made.kept.isEmpty && made.trained.report.keeping == nil)
    }

    @Test("One of other prompts in its slice or before, of another specification or other arithmetic is refused")
    func foreign() throws {
        let specification = Self.specification(slices: 3)
        let prompts = letterPrompts(30)
        let checkpoint = try #require(try train(prompts, specification).checkpoints.first { $0.slice == 2 })
        let dealing = SliceDealing(specification)
        for slice in 1...3 {
            let leaving = try #require(try prompts.first { try dealing.slice(of: $0) == slice })
            let others = prompts.filter { $0.id != leaving.id }
            if slice == 3 {
                // Nothing of a later slice is in it.
                let resumed = try train(others, specification, from: checkpoint)
                #expect(try resumed.trained.adapter == train(others, specification).trained.adapter)
            } else {
                #expect(throws: UnlearningError.foreignStage(name: checkpoint.name)) {
                    try train(others, specification, from: checkpoint)
                }
            }
        }
        var other = specification
        other.learningRate = 0.03
        #expect(throws: UnlearningError.foreignStage(name: checkpoint.name)) {
            try train(prompts, other, from: checkpoint)
        }
        #expect(throws: UnlearningError.foreignStage(name: checkpoint.name)) {
            try train(prompts, specification, from: checkpoint, arithmetic: "b")
        }
    }

    @Test("Where prompts are held out there is none: which epoch will have been the best is not part of it")
    func heldOut() throws {
        #expect(try train(letterPrompts(30), Self.specification(slices: 1, heldOut: 0.3)).kept.isEmpty)
    }

    @Test("It is never an adapter that answers")
    func answers() throws {
        let specification = Self.specification(slices: 2)
        let made = try train(letterPrompts(30), specification)
        let data = StageData(manifest: "m", prompts: 9)
        func answer(_ stage: TrainingStage?) -> TrainedAdapter? {
            stage?.trained(on: data, model: LetterModel().configuration, specification: specification)
        }
        #expect(answer(made.checkpoints.last) == nil)
        #expect(answer(made.kept.first { !$0.isCheckpoint }) != nil)
    }
}
