import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("Worker process: stages and checkpoints that are of no use", .serialized)
struct WorkerUnusableStageTests {
    let slices: TrainedSlices
    let worker: StagedWorker

    init() throws {
        slices = try TrainedSlices(prompts: 24)
        worker = StagedWorker(slices)
    }

    @Test("A training that cannot go on from its stage begins before it, and ends with the bytes of one from the start")
    func unusable() throws {
        let (whole, stages) = (try slices.train(), slices.stages)
        let misfit = try stages[1].misfit { $0["tokens"] = stages[1].tokens + 1 }
        let (coordinator, thread, copy) = try worker.start(with: [stages[0], misfit])
        #expect(copy.stages == stages.map(\.name).sorted())
        try coordinator.say(.assign(slices.assignment()))
        var asked = false
        var offered: [Int?] = []
        let (report, adapter) = try coordinator.expect { message -> (TrainingReport, [UInt8])? in
            if case .wants = message { asked = true }
            if case .staged(1, let report, _) = message { offered.append(report.slices?.stage) }
            if case .trained(1, let report, let adapter) = message { return (report, adapter) }
            return nil
        }
        #expect(adapter == whole.adapter.safetensorsBytes() && !asked)
        // What answers meanwhile is what the training could go on from.
        #expect(offered == [1])
        #expect(report.slices?.first == 2 && report.slices?.stages == whole.report.slices?.stages)
        let keeping = try #require(report.keeping)
        #expect(keeping.stages == 1 && keeping.seconds > 0 && keeping.processorSeconds > 0)
        try thread.stop()
    }

    @Test("A checkpoint goes when the shard's data is to be kept for an adapter that somebody else made")
    func checkpoint() throws {
        let checkpoint = try #require(try slices.withCheckpoints().last { $0.isCheckpoint })
        let (coordinator, thread, copy) = try worker.start(with: [checkpoint])
        #expect(copy.hasCheckpoint == true)
        try coordinator.say(.assign(slices.assignment(adapter: "somebody's")))
        let held = try coordinator.expect { if case .holds(let copy) = $0 { copy } else { nil } }
        #expect(held.hasCheckpoint == nil && held.manifest == Toy.manifest(slices.prompts).digest)
        let names = try FileManager.default.contentsOfDirectory(atPath: worker.directory + "/shards/0")
        #expect(names == ["prompts.sealed"])
        try thread.stop()
    }
}
