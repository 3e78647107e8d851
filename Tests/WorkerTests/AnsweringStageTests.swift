import ClusterTestSupport
import Foundation
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A stage answers only once a training has found it to be one of its own")
struct AnsweringStageTests {
    private let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }
    private let checkpoint: TrainingStage

    init() throws {
        slices = try TrainedSlices(prompts: 24)
        checkpoint = try #require(try slices.withCheckpoints().last { $0.isCheckpoint && $0.slice == 3 })
    }

    /// How many steps had been taken when it was said to be usable; none if it never was.
    private func offered(_ stage: TrainingStage, beginningAt first: TrainingStage?) -> [Int] {
        var (offers, steps) = ([Int](), 0)
        _ = try? Toy.executor().train(
            prompts: slices.prompts, specification: slices.specification, from: first, through: nil,
            answering: AnsweringStage(stage: stage) { offers.append(steps) }, keep: { _ in },
            progress: { _ in steps += 1 }, isCancelled: { false })
        return offers
    }

    @Test("One that it begins at, or that lies before its checkpoint, is said to be usable before the first step")
    func usable() {
        #expect(offered(stages[1], beginningAt: stages[1]) == [0])
        #expect(offered(stages[1], beginningAt: checkpoint) == [0])
    }

    @Test("One that counts other tokens or steps, of another shape or of another training, never is")
    func unusable() throws {
        let stage = stages[1]
        let misfits = [
            try stage.misfit { $0["tokens"] = stage.tokens + 1 }, try stage.misfit { $0["tokens"] = Int.max },
            try stage.misfit { $0["steps"] = stage.steps + 1 }, try stage.misfit(parameters: 3),
            try stage.misfit { $0["name"] = "another" }, try stage.misfit { $0["slice"] = 1 },
        ]
        for misfit in misfits {
            // Whether the training itself could begin there, or goes on from its checkpoint.
            #expect(offered(misfit, beginningAt: misfit).isEmpty)
            #expect(offered(misfit, beginningAt: checkpoint).isEmpty)
        }
        #expect(offered(checkpoint, beginningAt: checkpoint).isEmpty)
    }

    @Test("One with numbers that are none is not even read, neither from the disk nor from another worker")
    func notFinite() throws {
        for number: [UInt8] in [[0, 0, 0xC0, 0x7F], [0, 0, 0x80, 0x7F]] {
            var bytes = try stages[1].bytes()
            bytes.replaceSubrange((bytes.count - 4)..., with: number)
            #expect(throws: UnlearningError.notFinite(what: "the stored stage")) { try TrainingStage(bytes: bytes) }
        }
    }

    @Test("One whose finite parameters answer with numbers that are none never is")
    func overflowing() throws {
        let flooded = try stages[1].flooded(.parameters)
        #expect(!flooded.values.contains { !$0.isFinite })
        #expect(offered(flooded, beginningAt: flooded).isEmpty)
        #expect(offered(flooded, beginningAt: checkpoint).isEmpty)
        // What it answers with is right as long as only what would come of it overflows.
        let later = try stages[1].flooded(.firstMoments)
        #expect(offered(later, beginningAt: later) == [0])
        #expect(throws: UnlearningError.self) { try slices.train(from: later) }
    }
}
