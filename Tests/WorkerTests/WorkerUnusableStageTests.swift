import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("Worker process: stages and checkpoints that are of no use", .serialized)
final class WorkerUnusableStageTests {
    let directory = Toy.temporaryDirectory()
    let prompts = Toy.prompts(0..<24)
    let training: StagedTraining

    init() {
        var specification = Toy.specification()
        specification.slices = 3
        training = Toy.staged(specification)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A worker whose disk has the data and what is kept of a training, and its coordinator.
    private func started(
        with kept: [TrainingStage]
    ) throws -> (coordinator: ScriptedCoordinator, worker: WorkerThread, copy: ShardCopy) {
        let store = try ShardStore(directory: directory)
        _ = try store.bring(
            shard: 0, to: Toy.manifest(prompts), keys: Toy.keys(prompts), training: training, offered: prompts)
        for stage in kept { try store.keep(stage, shard: 0, of: training) }
        try Data("test".utf8).write(to: URL(fileURLWithPath: directory + "/cluster"))
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        let copy = try #require(try coordinator.welcome().copies.first)
        return (coordinator, worker, copy)
    }

    private func assignment(adapter: String?) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 0, specification: training.specification, manifest: Toy.manifest(prompts),
                keys: Toy.keys(prompts), adapter: adapter))
    }

    private func made() throws -> (whole: TrainedAdapter, kept: [TrainingStage]) {
        var kept: [TrainingStage] = []
        let whole = try Toy.executor(checkpointInterval: .zero).train(
            prompts: prompts, specification: training.specification, from: nil, keep: { kept.append($0) },
            progress: { _ in }, isCancelled: { false })
        return (whole, kept)
    }

    @Test("A training that cannot go on from its stage begins before it, and ends with the bytes of one from the start")
    func unusable() throws {
        let (whole, kept) = try made()
        let stages = kept.filter { !$0.isCheckpoint }
        let misfit = try stages[1].misfit { $0["tokens"] = stages[1].tokens + 1 }
        let (coordinator, worker, copy) = try started(with: [stages[0], misfit])
        #expect(copy.stages == stages.map(\.name).sorted())
        try coordinator.say(assignment(adapter: nil))
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
        try worker.stop()
    }

    @Test("A checkpoint goes when the shard's data is to be kept for an adapter that somebody else made")
    func checkpoint() throws {
        let checkpoint = try #require(try made().kept.last { $0.isCheckpoint })
        let (coordinator, worker, copy) = try started(with: [checkpoint])
        #expect(copy.hasCheckpoint == true)
        try coordinator.say(assignment(adapter: "somebody's"))
        let held = try coordinator.expect { if case .holds(let copy) = $0 { copy } else { nil } }
        #expect(held.hasCheckpoint == nil && held.manifest == Toy.manifest(prompts).digest)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory + "/shards/0")
        #expect(names == ["prompts.sealed"])
        try worker.stop()
    }
}
