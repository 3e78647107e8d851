import ClusterTestSupport
import Messages
import Testing
import Unlearning
import Worker

@Suite("Worker logic: stages that answer while a shard is trained or waits for its training")
struct StageMeanwhileTests {
    let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }

    init() throws { slices = try TrainedSlices() }

    /// The disk has kept a stage.
    private func saved(_ command: StorageCommand, _ stage: TrainingStage) -> WorkerLogic.Event {
        var result = StorageResult(id: command.id, shard: 0, copy: nil, outcome: .saved)
        (result.stage, result.stageData) = (stage, StageData(manifest: "its slices", prompts: 4))
        return .storage(result)
    }

    /// A training from the start that a forget request waits for, or that nobody does.
    private func fromStart(isAwaited: Bool) throws -> (WorkerLogicDriver, Job) {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(.assign(slices.assignment(isAwaited: isAwaited))).commands.first)
        let job = try #require(driver.handle(slices.found(0, by: update, isLacking: false)).jobs.first)
        return (driver, job)
    }

    private func step(_ job: Job, _ driver: inout WorkerLogicDriver) -> [WorkerMessage] {
        let progress = WorkerMessage.TaskProgress(
            task: 0, step: 2, steps: 9, loss: 0.5, tokensPerSecond: 1, secondsRemaining: 1)
        return driver.handle(.progress(job.id, progress)).sent
    }

    @Test("The first stage that a training from the start passes is offered once it is kept and another step was taken")
    func passed() throws {
        var (driver, job) = try fromStart(isAwaited: true)
        #expect(driver.actions.sent.offeredSlices.isEmpty)
        let first = driver.handle(.stage(job.id, stages[0]))
        #expect(first.sent.isEmpty)
        #expect(driver.handle(saved(try #require(first.commands.first), stages[0])).sent.isEmpty)
        let offered = step(job, &driver)
        #expect(offered.offeredSlices == [1])
        guard case .staged(1, let report, _)? = offered.first else {
            Issue.record("\(offered)")
            return
        }
        #expect(report.manifest == "its slices" && report.prompts == 4)
        let second = try #require(driver.handle(.stage(job.id, stages[1])).commands.first)
        #expect(driver.handle(saved(second, stages[1])).sent.isEmpty)
        #expect(step(job, &driver).offeredSlices.isEmpty)
        // A coordinator that is found again hears of it again.
        driver.handle(.disconnected)
        #expect(driver.handle(.connected(goingOnWith: [1])).sent.offeredSlices == [1])
    }

    @Test("Where nobody waits for the shard, or the disk did not take it, nothing is offered")
    func notWanted() throws {
        var (driver, job) = try fromStart(isAwaited: false)
        let kept = try #require(driver.handle(.stage(job.id, stages[0])).commands.first)
        #expect(driver.handle(saved(kept, stages[0])).sent.isEmpty)
        #expect(step(job, &driver).offeredSlices.isEmpty)

        (driver, job) = try fromStart(isAwaited: true)
        let lost = try #require(driver.handle(.stage(job.id, stages[0])).commands.first)
        let failure = TaskFailure(code: .diskFull, message: "no space")
        #expect(driver.store(lost, .failed(failure)).sent.offeredSlices.isEmpty)
        #expect(step(job, &driver).offeredSlices.isEmpty)
        // The next one is as good.
        let next = try #require(driver.handle(.stage(job.id, stages[1])).commands.first)
        driver.handle(saved(next, stages[1]))
        #expect(step(job, &driver).offeredSlices == [2])
    }

    @Test(
        "One that was passed while nobody waited is offered once somebody does, also with other keys",
        arguments: [true, false])
    func waitedForLater(hasOtherKeys: Bool) throws {
        var (driver, job) = try fromStart(isAwaited: false)
        let kept = try #require(driver.handle(.stage(job.id, stages[0])).commands.first)
        driver.handle(saved(kept, stages[0]))
        #expect(step(job, &driver).offeredSlices.isEmpty)
        var again = slices.assignment(isAwaited: true)
        if hasOtherKeys { again.keys = Toy.keys(slices.prompts, shard: 1) }
        let told = driver.say(.assign(again))
        #expect(told.sent.offeredSlices == [1] && told.commands.isEmpty != hasOtherKeys && told.cancelled.isEmpty)
    }

    @Test("One at which the training began, and that was found not to answer, does not keep those passed later from it")
    func foundNotToAnswer() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(.assign(slices.assignment(isAwaited: true))).commands.first)
        let job = try #require(driver.handle(slices.found(1, by: update, isLacking: false)).jobs.first)
        #expect(job.answering == stages[0])
        #expect(step(job, &driver).offeredSlices.isEmpty)
        let kept = try #require(driver.handle(.stage(job.id, stages[1])).commands.first)
        #expect(driver.handle(saved(kept, stages[1])).sent.isEmpty)
        #expect(step(job, &driver).offeredSlices == [2])
        // Said again to a coordinator that asks for it.
        #expect(driver.say(.assign(slices.assignment(isAwaited: true))).sent.offeredSlices == [2])
    }

    /// A worker whose training came to a good end.
    private func trained() throws -> WorkerLogicDriver {
        var (driver, job) = try fromStart(isAwaited: false)
        for stage in stages { driver.handle(.stage(job.id, stage)) }
        let save = try #require(driver.handle(.finished(job.id, .trained(slices.report, adapter: [1]))).commands.last)
        #expect(driver.store(save, .saved).sent.count == 1)
        return driver
    }

    @Test("A copy that is brought up to date because its training has to wait comes with the stage that may answer")
    func beside() throws {
        var driver = try trained()
        let waiting = slices.assignment(task: 2, adapter: "", isAwaited: true)
        let update = try #require(driver.say(.assign(waiting)).commands.first)
        let found = driver.handle(slices.found(1, by: update, isLacking: false))
        #expect(found.sent.offeredSlices == [1] && found.jobs.isEmpty)
        guard case .staged(2, _, _)? = found.sent.first else {
            Issue.record("\(found.sent)")
            return
        }
        // When its turn has come it answers at once, and is not tried again.
        let assign = try #require(driver.say(.assign(slices.assignment(task: 3, isAwaited: true))).commands.first)
        let begun = driver.handle(slices.found(1, by: assign, isLacking: false))
        #expect(begun.sent.offeredSlices == [1] && begun.jobs.first?.answering == nil)
    }

    @Test("Of a stage that no training of this process came by it is not known whether it answers")
    func unknown() throws {
        var driver = WorkerLogicDriver()
        let waiting = slices.assignment(task: 2, adapter: "", isAwaited: true)
        let update = try #require(driver.say(.assign(waiting)).commands.first)
        #expect(driver.handle(slices.found(2, by: update, isLacking: false)).sent.offeredSlices.isEmpty)
        // Nor is anything offered of a copy that nobody waits for.
        driver = try trained()
        let quiet = try #require(driver.say(.assign(slices.assignment(task: 2, adapter: ""))).commands.first)
        #expect(driver.handle(slices.found(1, by: quiet, isLacking: false)).sent.offeredSlices.isEmpty)
    }

    @Test("One from which a training came to numbers that are none is believed no longer")
    func doubted() throws {
        var driver = try trained()
        let assign = try #require(driver.say(.assign(slices.assignment(task: 3, isAwaited: true))).commands.first)
        let job = try #require(driver.handle(slices.found(1, by: assign, isLacking: false)).jobs.first)
        let diverged = JobOutcome.failed(TaskFailure(code: .notFinite, message: "the loss is none"))
        let gone = driver.handle(.finished(job.id, diverged)).sent
        #expect(gone.count == 1)
        guard case .withdrawn(3, let name?)? = gone.first else {
            Issue.record("\(gone)")
            return
        }
        #expect(!name.isEmpty)
        driver.say(.cancel(task: 3))
        let waiting = slices.assignment(task: 4, adapter: "", isAwaited: true)
        let update = try #require(driver.say(.assign(waiting)).commands.first)
        #expect(driver.handle(slices.found(1, by: update, isLacking: false)).sent.offeredSlices.isEmpty)
    }
}
