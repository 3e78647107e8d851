import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: what is reported of stages")
struct WorkerStageReportTests {
    let fixture: StageShelf
    private var shelf: SealedShelf { fixture.shelf }
    private var training: StagedTraining { fixture.training }

    init() throws { fixture = try StageShelf() }

    private func train(
        from first: TrainingStage? = nil, keep: @escaping (TrainingStage) -> Void = { _ in }
    ) throws -> TrainingReport {
        try fixture.slices.train(from: first, checkpointInterval: .zero, keep: keep).report
    }

    private func digests(_ report: TrainingReport) -> [String?]? { report.slices?.stages?.map(\.digest) }

    @Test("A first training that was cut off and went on at a checkpoint reports the stages before that, too")
    func resumed() throws {
        var made: [TrainingStage] = []
        let whole = try train { made.append($0) }
        let checkpoint = try #require(made.last { $0.isCheckpoint && $0.slice == 3 })
        let store = try fixture.opened()
        for stage in made where stage.steps <= checkpoint.steps { try store.keep(stage, shard: 2, of: training) }
        // Another process goes on.
        let again = try fixture.opened()
        let begun = try #require(again.checkpoint(shard: 2, of: training))
        let resumed = try train(from: begun) { stage in
            guard !stage.isCheckpoint else { return }
            #expect(throws: Never.self) { try again.keep(stage, shard: 2, of: training) }
        }
        #expect(digests(resumed)?.map { $0 == nil } == [true, true, false, false])
        let completed = again.completed(resumed, shard: 2)
        #expect(completed.slices?.stages == whole.slices?.stages)
        // They are read once.
        try shelf.put(try shelf.files().mapValues { $0.isEmpty ? $0 : $0.dropLast() + [~($0.last ?? 0)] })
        #expect(again.completed(resumed, shard: 2) == completed)
    }

    @Test("Of a stage that is gone or damaged, or of other data, nothing is said")
    func missing() throws {
        let made = fixture.stages
        let store = try fixture.filled()
        let last = try train(from: made[2])
        #expect(digests(last)?.map { $0 == nil } == [true, true, false, false])
        let name = "\(made[0].name).stage.sealed"
        var bytes = try shelf.bytes(name)
        bytes[bytes.count / 2] ^= 1
        try shelf.write(bytes, name)
        #expect(digests(store.completed(last, shard: 2))?.map { $0 == nil } == [true, false, false, false])
        try FileManager.default.removeItem(atPath: shelf.path(name))
        #expect(digests(store.completed(last, shard: 2))?.map { $0 == nil } == [true, false, false, false])
        var other = last
        other.manifest = "other data"
        #expect(store.completed(other, shard: 2) == other && store.completed(last, shard: 1) == last)
    }

    @Test("Checkpoints take a hundredth of a training's time at most, and one more; stages are always kept")
    func pace() throws {
        let made = try fixture.slices.withCheckpoints()
        let checkpoint = try #require(made.first { $0.isCheckpoint })
        let stage = try #require(made.first { !$0.isCheckpoint })
        func keep(_ stage: TrainingStage, job: JobID, isDoubted: Bool = false) -> StorageCommand {
            StorageCommand(
                id: 1, shard: 2, access: .keepStage(stage, training.specification, isDoubted: isDoubted), job: job)
        }
        let start = ContinuousClock.now
        func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }
        var writing = StageWriting()
        let first = keep(checkpoint, job: 1)
        #expect(writing.hasTime(for: first, at: start))
        writing.note(first, .saved, from: start, to: at(0.5), processor: 0.25)
        #expect(!writing.hasTime(for: first, at: at(15)) && !writing.hasTime(for: first, at: at(49)))
        #expect(writing.hasTime(for: first, at: at(51)))
        #expect(writing.hasTime(for: keep(stage, job: 1), at: at(1)))
        // What lies in its place was found to lead nowhere.
        #expect(writing.hasTime(for: keep(checkpoint, job: 1, isDoubted: true), at: at(1)))
        // Another training begins anew; a full disk counts as well.
        let second = keep(checkpoint, job: 2)
        #expect(writing.hasTime(for: second, at: at(1)))
        writing.note(keep(stage, job: 1), .saved, from: at(20), to: at(20.25), processor: 0.125)
        let full = StorageResult.Outcome.failed(TaskFailure(code: .diskFull, message: ""))
        writing.note(first, full, from: at(51), to: at(51.125), processor: 0)
        var report = try train()
        report.keeping = KeepingReport(stages: 3, checkpoints: 9, seconds: 0.25, processorSeconds: 0.25)
        let save = StorageCommand(id: 2, shard: 2, access: .save(report, adapter: [1]), job: 1)
        let completed = writing.completed(report, by: save)
        #expect(completed.keeping == KeepingReport(stages: 1, checkpoints: 1, seconds: 1.125, processorSeconds: 0.625))
        var other = save
        other.job = 3
        #expect(writing.completed(report, by: other) == report)
    }

    @Test("What lies there of a training that was cut off is said, for somebody else may finish it, and goes when told")
    func checkpoint() throws {
        let made = try fixture.slices.withCheckpoints()
        let store = try fixture.opened()
        #expect(store.copy(2)?.hasCheckpoint == nil)
        let checkpoint = try #require(made.first { $0.isCheckpoint })
        try store.keep(checkpoint, shard: 2, of: training)
        #expect(store.copy(2)?.hasCheckpoint == true)
        try store.deleteCheckpoints(2)
        #expect(store.copy(2)?.hasCheckpoint == nil && !shelf.names.contains { $0.hasSuffix(".checkpoint.sealed") })
    }
}
