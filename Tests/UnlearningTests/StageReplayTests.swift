import Files
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Single slices are trained again, from the stage before them")
struct StageReplayTests {
    private let specification = TrainingSpecification(
        base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]), seed: 3,
        epochs: 2, batch: 4, learningRate: 0.02, slices: 4, averaging: .steps)

    /// 40 users with two prompts each; none of them in the slices that are left out.
    private func prompts(without empty: Set<Int> = []) -> [TrainingPrompt] {
        var prompts = letterPrompts(80)
        let dealing = SliceDealing(specification)
        for index in prompts.indices { prompts[index].slice = dealing.slice(ofUser: "user \(index / 2)") }
        return prompts.filter { !empty.contains($0.slice ?? 0) }
    }

    private func train(
        _ prompts: [TrainingPrompt], from first: TrainingStage? = nil, through last: Int? = nil
    ) throws -> (trained: TrainedAdapter, stages: [TrainingStage]) {
        var stages: [TrainingStage] = []
        let trained = try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: prompts, specification: specification,
            stages: StageKeeping(arithmetic: "a", first: first, last: last) { stages.append($0) })
        return (trained, stages)
    }

    @Test("A training reports every stage that it passes, by the digest of what is kept, and the adapter last")
    func reports() throws {
        let (whole, stages) = try train(prompts())
        let said = try #require(whole.report.slices?.stages)
        #expect(said.map(\.slice) == [1, 2, 3, 4] && whole.report.isWhole)
        for (report, stage) in zip(said, stages) {
            let bytes = try stage.bytes()
            #expect(
                report == StageReport(slice: stage.slice, name: stage.name, digest: sha256(bytes), bytes: bytes.count))
            #expect(try TrainingStage(bytes: bytes) == stage)
        }
        let name = whole.adapter.contentName
        #expect(
            said.last
                == StageReport(
                    slice: 4, name: name, digest: name, bytes: whole.adapter.safetensorsBytes().count))
        // Who begins at a stage has seen this one and those after it.
        let later = try train(prompts(), from: stages[1]).trained.report
        #expect(later.slices?.stages?.map { $0.digest != nil } == [false, true, true, true])
        #expect(later.slices?.stages?.map(\.name) == said.map(\.name) && !later.isWhole)
    }

    @Test("Each slice alone gives the stage that the whole training passed", arguments: 1...4)
    func replays(slice: Int) throws {
        let (whole, stages) = try train(prompts())
        let said = try #require(whole.report.slices?.stages)
        let replayed = try train(prompts(), from: slice > 1 ? stages[slice - 2] : nil, through: slice).trained
        #expect(replayed.report.slices?.stages?.first { $0.slice == slice } == said[slice - 1])
        #expect(replayed.report.slices?.first == slice)
        #expect(replayed.report.isStage == (slice < 4) && !replayed.report.isWhole)
        #expect((replayed.adapter == whole.adapter) == (slice == 4))
        if slice < 4 { #expect(replayed.adapter.values == stages[slice - 1].values) }
        let names = try StageNames(
            specification: specification, arithmetic: "a", prompts: prompts(), digests: prompts().map(\.digest))
        if let data = names.data(of: slice) {
            #expect(replayed.report.manifest == data.manifest && replayed.report.prompts == data.prompts)
        }
    }

    @Test("From another stage than the one before it other bytes come out, or none", arguments: [2, 3, 4])
    func tampered(slice: Int) throws {
        let (whole, stages) = try train(prompts())
        var bytes = try stages[slice - 2].bytes()
        // The sign of the first parameter's successor: still a number.
        bytes[bytes.count - 1] ^= 0x80
        let changed = try TrainingStage(bytes: bytes)
        let replayed = try train(prompts(), from: changed, through: slice).trained
        let said = try #require(whole.report.slices?.stages?[slice - 1].digest)
        #expect(replayed.report.slices?.stages?.first { $0.slice == slice }?.digest != said)
        let foreign = prompts().filter { $0.slice != 1 }
        #expect(throws: UnlearningError.foreignStage(name: changed.name)) { try train(foreign, from: changed) }
    }

    @Test("A slice without prompts has no stage, and the one before it stands for it")
    func empty() throws {
        let some = prompts(without: [2, 4])
        let (whole, stages) = try train(some)
        #expect(whole.report.slices?.stages?.map(\.slice) == [1, 3])
        #expect(stages.map(\.slice) == [1, 3] && whole.adapter.values == stages[1].values)
        let replayed = try train(some, from: stages[0], through: 3).trained
        #expect(replayed.report.slices?.stages?.last == whole.report.slices?.stages?.last)
        #expect(replayed.report.adapter == whole.report.adapter)
    }

    @Test("A part that begins behind its end, or ends behind the last slice, is none")
    func impossible() throws {
        let stages = try train(prompts()).stages
        #expect(throws: UnlearningError.noSuchTraining(first: 3, last: 2, slices: 4)) {
            try train(prompts(), from: stages[1], through: 2)
        }
        #expect(throws: UnlearningError.noSuchTraining(first: 1, last: 5, slices: 4)) {
            try train(prompts(), through: 5)
        }
    }
}
