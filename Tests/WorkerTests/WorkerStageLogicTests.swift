import ClusterTestSupport
import Files
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: stages")
struct WorkerStageLogicTests {
    let prompts = Toy.prompts(0..<12)
    let specification: TrainingSpecification
    let stages: [TrainingStage]

    init() throws {
        var specification = Toy.specification()
        specification.slices = 3
        self.specification = specification
        var stages: [TrainingStage] = []
        _ = try Toy.executor().train(
            prompts: prompts, specification: specification, from: nil, keep: { stages.append($0) },
            progress: { _ in }, isCancelled: { false })
        self.stages = stages
    }

    private func assigned() throws -> (WorkerLogicDriver, StorageCommand) {
        var driver = WorkerLogicDriver()
        let assignment = CoordinatorMessage.Assignment(
            task: 1, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: nil)
        let update = try #require(driver.say(.assign(assignment)).commands.first)
        return (driver, update)
    }

    @Test("A training begins at the stage that the disk has, and keeps those that it passes")
    func keeping() throws {
        let first = try #require(stages.first)
        var (driver, update) = try assigned()
        var result = StorageResult(
            id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        result.stage = first
        result.stageData = StageData(manifest: "manifest of the slices", prompts: 5)
        let start = driver.handle(.storage(result))
        // The coordinator may let it answer meanwhile, as soon as the training has found it to be of use.
        let job = try #require(start.jobs.first)
        #expect(start.sent.isEmpty && job.answering == first)
        let served = driver.handle(.answers(job.id)).sent.compactMap { message -> TrainingReport? in
            guard case .staged(1, let report, let bytes) = message else { return nil }
            #expect(sha256(bytes) == report.adapter)
            return report
        }
        #expect(served.map(\.manifest) == ["manifest of the slices"] && served.map(\.prompts) == [5])
        #expect(served.first?.slices == SlicesReport(count: 3, first: first.slice + 1, tokens: 0, stage: first.slice))
        #expect(job.computation == .train(specification, prompts: prompts, from: first))
        let last = try #require(stages.last)
        let kept = driver.handle(.stage(job.id, last))
        #expect(kept.commands.map(\.access) == [.keepStage(last, specification)])
        // It is not kept: the training goes on, and the log says so.
        let keep = try #require(kept.commands.first)
        let failure = TaskFailure(code: .diskFull, message: "the stage is not kept")
        let said = driver.store(keep, .failed(failure))
        #expect(said.sent.isEmpty && said.jobs.isEmpty && said.cancelled.isEmpty && said.count == 1)
        // From then on so does the progress, for the status.
        var progress = WorkerMessage.TaskProgress(
            task: 0, step: 1, steps: 2, loss: 0.5, tokensPerSecond: 9, secondsRemaining: 1)
        let told = driver.handle(.progress(job.id, progress)).sent
        (progress.task, progress.unkept) = (1, "the stage is not kept")
        #expect(told == [.progress(progress)])
        let report = TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: 12, specification: specification,
            steps: 2, tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(driver.store(save, .saved).sent == [.trained(task: 1, report, adapter: [1])])
    }

    @Test("A training begins at the checkpoint behind the stage, and what answers meanwhile is the stage")
    func checkpoint() throws {
        var kept: [TrainingStage] = []
        _ = try Toy.executor(checkpointInterval: .zero).train(
            prompts: prompts, specification: specification, from: nil, keep: { kept.append($0) }, progress: { _ in },
            isCancelled: { false })
        let checkpoint = try #require(kept.last)
        let stage = try #require(stages.last)
        try #require(checkpoint.isCheckpoint && checkpoint.slice > stage.slice)
        var (driver, update) = try assigned()
        var result = StorageResult(
            id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        (result.stage, result.checkpoint) = (stage, checkpoint)
        result.stageData = StageData(manifest: "manifest of the slices", prompts: 5)
        let start = driver.handle(.storage(result))
        #expect(start.jobs.map(\.computation) == [.train(specification, prompts: prompts, from: checkpoint)])
        let job = try #require(start.jobs.first)
        #expect(start.sent.isEmpty && job.answering == stage)
        let offered = driver.handle(.answers(job.id)).sent.compactMap { message -> Int? in
            guard case .staged(1, let report, _) = message else { return nil }
            return report.slices?.stage
        }
        #expect(offered == [stage.slice])
    }

    @Test("A coordinator that is found again is offered the stage again, while the training goes on")
    func offeredAgain() throws {
        let first = try #require(stages.first)
        var (driver, update) = try assigned()
        var result = StorageResult(
            id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        result.stage = first
        result.stageData = StageData(manifest: "manifest of the slices", prompts: 5)
        func offers(_ messages: [WorkerMessage]) -> [WorkerMessage] {
            messages.filter { if case .staged = $0 { true } else { false } }
        }
        let job = try #require(driver.handle(.storage(result)).jobs.first)
        // Before it is checked nobody is offered it, however often the same is assigned.
        _ = driver.handle(.disconnected)
        #expect(offers(driver.handle(.connected(goingOnWith: [1])).sent).isEmpty)
        let again = CoordinatorMessage.Assignment(
            task: 1, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: nil)
        #expect(offers(driver.say(.assign(again)).sent).isEmpty)
        let offer = offers(driver.handle(.answers(job.id)).sent)
        #expect(offer.count == 1 && offers(driver.say(.assign(again)).sent) == offer)
        _ = driver.handle(.disconnected)
        #expect(offers(driver.handle(.connected(goingOnWith: [1])).sent) == offer)
        // One that no longer waits for this training is told nothing.
        _ = driver.handle(.disconnected)
        #expect(offers(driver.handle(.connected(goingOnWith: [])).sent).isEmpty)
    }

    @Test("Stages of a replay, or of a training that was given up, are not kept")
    func unwanted() throws {
        let stage = try #require(stages.first)
        var (driver, update) = try assigned()
        let job = try #require(driver.store(update, .complete(prompts, trained: nil)).jobs.first)
        driver.say(.cancel(task: 1))
        #expect(driver.handle(.stage(job.id, stage)).isEmpty)
        driver.handle(.finished(job.id, .cancelled))
        let replay = try #require(
            driver.say(.replay(task: 2, specification: specification, prompts: prompts)).jobs.first)
        #expect(driver.handle(.stage(replay.id, stage)).isEmpty)
    }
}
