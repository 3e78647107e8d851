import ClusterTestSupport
import Files
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: stages")
struct WorkerStageLogicTests {
    let slices: TrainedSlices

    init() throws { slices = try TrainedSlices() }

    @Test("A training begins at the stage that the disk has, and keeps those that it passes")
    func keeping() throws {
        let first = slices.stages[0]
        var (driver, update) = try slices.assigned()
        let start = driver.handle(slices.found(1, by: update, isLacking: false))
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
        #expect(job.computation == .train(slices.specification, prompts: slices.prompts, from: first))
        let last = slices.stages[1]
        let kept = driver.handle(.stage(job.id, last))
        #expect(kept.commands.map(\.access) == [.keepStage(last, slices.specification)])
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
        let report = slices.report
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(driver.store(save, .saved).sent == [.trained(task: 1, report, adapter: [1])])
    }

    @Test("A training begins at the checkpoint behind the stage, and what answers meanwhile is the stage")
    func checkpoint() throws {
        let checkpoint = try #require(try slices.withCheckpoints().last)
        let stage = slices.stages[1]
        try #require(checkpoint.isCheckpoint && checkpoint.slice > stage.slice)
        var (driver, update) = try slices.assigned()
        let start = driver.handle(slices.found(2, by: update, checkpoint: checkpoint))
        #expect(
            start.jobs.map(\.computation) == [
                .train(slices.specification, prompts: slices.prompts, from: checkpoint)
            ])
        let job = try #require(start.jobs.first)
        #expect(start.sent.isEmpty && job.answering == stage)
        #expect(driver.handle(.answers(job.id)).sent.offeredSlices == [stage.slice])
    }

    @Test("A coordinator that is found again is offered the stage again, while the training goes on")
    func offeredAgain() throws {
        var (driver, update) = try slices.assigned()
        func offers(_ messages: [WorkerMessage]) -> [WorkerMessage] {
            messages.filter { if case .staged = $0 { true } else { false } }
        }
        let job = try #require(driver.handle(slices.found(1, by: update, isLacking: false)).jobs.first)
        // Before it is checked nobody is offered it, however often the same is assigned.
        _ = driver.handle(.disconnected)
        #expect(offers(driver.handle(.connected(goingOnWith: [1])).sent).isEmpty)
        let again = slices.assignment()
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
        let stage = slices.stages[0]
        var (driver, update) = try slices.assigned()
        let job = try #require(driver.store(update, .complete(slices.prompts, trained: nil)).jobs.first)
        driver.say(.cancel(task: 1))
        #expect(driver.handle(.stage(job.id, stage)).isEmpty)
        driver.handle(.finished(job.id, .cancelled))
        let replay = try #require(
            driver.say(
                .replay(task: 2, specification: slices.specification, prompts: slices.prompts)
            ).jobs.first)
        #expect(driver.handle(.stage(replay.id, stage)).isEmpty)
    }
}
