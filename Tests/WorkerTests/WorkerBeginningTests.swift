import ClusterTestSupport
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: a training that cannot go on from what it began at")
struct WorkerBeginningTests {
    let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }

    init() throws { slices = try TrainedSlices() }

    private func training(from stage: TrainingStage?) -> Job.Computation {
        .train(slices.specification, prompts: slices.prompts, from: stage)
    }

    /// A training that began at the last stage.
    private func begun() throws -> (WorkerLogicDriver, Job) {
        var (driver, update) = try slices.assigned()
        let job = try #require(driver.handle(slices.found(2, by: update)).jobs.first)
        #expect(job.computation == training(from: stages[1]))
        return (driver, job)
    }

    private func failed(_ code: ErrorCode) -> JobOutcome { .failed(TaskFailure(code: code, message: "no way on")) }

    @Test("It begins at the one before, and the bad one is deleted and asked of nobody")
    func earlier() throws {
        var (driver, job) = try begun()
        var actions = driver.handle(.finished(job.id, failed(.stageDiffers)))
        #expect(actions.sent.isEmpty)
        #expect(actions.commands.count == 2 && actions.commands[0].access == .discard(stages[1].name))
        actions = driver.handle(slices.found(1, by: actions.commands[1]))
        // It lacks the one that it deleted, and nothing else: nobody is asked.
        #expect(!actions.sent.contains { if case .wants = $0 { true } else { false } })
        let second = try #require(actions.jobs.first)
        #expect(second.computation == training(from: stages[0]))
        actions = driver.handle(.finished(second.id, failed(.stageDiffers)))
        #expect(actions.commands.first?.access == .discard(stages[0].name))
        // Also where the disk could not delete it.
        let third = try #require(driver.handle(slices.found(1, by: actions.commands[1])).jobs.first)
        #expect(third.computation == training(from: nil))
        // From the start there is no earlier.
        let end = driver.handle(.finished(third.id, failed(.stageDiffers)))
        #expect(end.sent == [.failed(task: 1, code: .stageDiffers, message: "no way on")] && end.commands.isEmpty)
    }

    @Test("A stage that turned out to be of no use is offered to nobody, and the one before it once it is checked")
    func offers() throws {
        var (driver, job) = try begun()
        let actions = driver.handle(.finished(job.id, failed(.stageDiffers)))
        // A word of it that comes late is of a training that is over.
        #expect(driver.handle(.answers(job.id)).isEmpty)
        let again = driver.handle(slices.found(1, by: actions.commands[1]))
        let second = try #require(again.jobs.first)
        #expect(second.answering == stages[0])
        #expect(driver.handle(.answers(second.id)).sent.offeredSlices == [1])
        #expect(driver.actions.sent.offeredSlices == [1])
    }

    @Test("A failure that has nothing to do with it is said as ever")
    func others() throws {
        for code in [ErrorCode.model, .emptyPrompt, .unexpected] {
            var (driver, job) = try begun()
            let actions = driver.handle(.finished(job.id, failed(code)))
            #expect(actions.sent == [.failed(task: 1, code: code, message: "no way on")] && actions.commands.isEmpty)
        }
    }

    @Test("The executor says so of a stage that counts other tokens than its slices have")
    func told() throws {
        let misfit = try stages[1].misfit { $0["tokens"] = Int.max }
        do {
            try slices.train(from: misfit)
            Issue.record("it was trained")
        } catch {
            #expect(TaskFailure(error).code == .stageDiffers)
        }
    }

    @Test("Who keeps the data of a shard that somebody has trained deletes its checkpoint; who trains it does not")
    func checkpoints() throws {
        for (adapter, isTrained) in [("a", true), ("", false), (nil, false)] {
            let (_, update) = try slices.assigned(adapter: adapter)
            #expect(
                update.access
                    == .update(
                        Toy.manifest(slices.prompts), keys: Toy.keys(slices.prompts), offered: [],
                        specification: slices.specification, isTrained: isTrained))
        }
    }

    @Test("What is reported is what was kept")
    func reported() throws {
        var (driver, job) = try begun()
        var report = slices.report
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(save.access == .save(report, adapter: [1]) && save.job == job.id)
        report.keeping = KeepingReport(stages: 1, seconds: 0.5)
        var result = StorageResult(id: save.id, shard: 0, copy: nil, outcome: .saved)
        result.report = report
        #expect(driver.handle(.storage(result)).sent == [.trained(task: 1, report, adapter: [1])])
    }
}
