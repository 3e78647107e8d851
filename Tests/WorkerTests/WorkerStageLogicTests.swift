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

    @Test("What could not be kept is said until it is there, or nobody misses it any more")
    func unkept() throws {
        let checkpoints = try slices.withCheckpoints().filter(\.isCheckpoint)
        let early = try #require(checkpoints.first { $0.slice == 2 })
        let (late, stage) = (try #require(checkpoints.last), slices.stages[1])
        try #require(late.slice == 3 && stage.slice == 2)
        var (driver, update) = try slices.assigned()
        let job = try #require(driver.handle(slices.found(1, by: update, isLacking: false)).jobs.first)
        func said(of job: Job) -> [String?] {
            let progress = WorkerMessage.TaskProgress(
                task: 0, step: 1, steps: 2, loss: 0.5, tokensPerSecond: 9, secondsRemaining: 1)
            return driver.handle(.progress(job.id, progress)).sent.map { message -> String? in
                if case .progress(let progress) = message { progress.unkept } else { "no progress" }
            }
        }
        func keep(_ stage: TrainingStage, _ outcome: StorageResult.Outcome) throws {
            let command = try #require(driver.handle(.stage(job.id, stage)).commands.first)
            driver.store(command, outcome)
        }
        func failure(_ reason: String) -> StorageResult.Outcome {
            .failed(TaskFailure(code: .diskFull, message: reason))
        }
        #expect(said(of: job) == [nil])
        try keep(early, failure("checkpoint"))
        #expect(said(of: job) == ["checkpoint"])
        try keep(stage, failure("stage"))
        #expect(said(of: job) == ["stage"])
        // The training is beyond the checkpoint; the stage would still be of use after a forgetting.
        try keep(late, .saved)
        #expect(said(of: job) == ["stage"])
        try keep(late, failure("late"))
        #expect(said(of: job) == ["late"])
        try keep(late, .leftOut)
        #expect(said(of: job) == ["late"])
        try keep(late, .saved)
        #expect(said(of: job) == ["stage"])
        try keep(stage, .saved)
        #expect(said(of: job) == [nil])
        // Nothing of a training that was given up is missed by the next one.
        let command = try #require(driver.handle(.stage(job.id, stage)).commands.first)
        driver.say(.cancel(task: 1))
        driver.handle(.finished(job.id, .cancelled))
        let again = try #require(driver.say(.assign(slices.assignment(task: 2))).commands.first)
        let next = try #require(driver.handle(slices.found(1, by: again, isLacking: false)).jobs.first)
        driver.store(command, failure("of before"))
        #expect(said(of: next) == [nil])
    }

    @Test("Right before the result it is said what the disk kept, also where there was no room for the adapter")
    func saidBefore() throws {
        for outcome in [StorageResult.Outcome.saved, .failed(TaskFailure(code: .diskFull, message: "no room"))] {
            var (driver, update) = try slices.assigned()
            let job = try #require(driver.handle(slices.found(0, by: update, isLacking: false)).jobs.first)
            let report = slices.report
            let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
            var copy = ShardCopy(
                shard: 0, manifest: report.manifest, prompts: 12, adapter: nil, stages: [slices.stages[0].name])
            let sent = driver.store(save, outcome, copy: copy).sent
            copy.trained = report.adapter
            #expect(sent == [.holds(copy), .trained(task: 1, report, adapter: [1])])
        }
    }

    @Test("A stage that lies there no more is missed at once, one that is kept is said with the result")
    func gone() throws {
        func copy(_ stages: [TrainingStage]) -> ShardCopy {
            ShardCopy(
                shard: 0, manifest: slices.report.manifest, prompts: 12, adapter: nil, stages: stages.map(\.name))
        }
        var (driver, update) = try slices.assigned()
        let both = copy(slices.stages)
        let start = driver.store(update, .complete(slices.prompts, trained: nil), copy: both)
        #expect(start.sent == [.holds(both)])
        let job = try #require(start.jobs.first)
        func keep(_ outcome: StorageResult.Outcome, _ stages: [TrainingStage]) throws -> [WorkerMessage] {
            let command = try #require(driver.handle(.stage(job.id, slices.stages[1])).commands.first)
            return driver.store(command, outcome, copy: copy(stages)).sent
        }
        let first = [slices.stages[0]]
        let failure = StorageResult.Outcome.failed(TaskFailure(code: .diskFull, message: "no room"))
        #expect(try keep(failure, slices.stages) == [])
        #expect(try keep(failure, first) == [.holds(copy(first))])
        #expect(try keep(failure, first) == [])
        #expect(try keep(.saved, slices.stages) == [])
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
