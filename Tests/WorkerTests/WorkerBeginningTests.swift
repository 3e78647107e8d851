import ClusterTestSupport
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: a training that cannot go on from what it began at")
struct WorkerBeginningTests {
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

    /// What the disk says: it has the first so many stages.
    private func found(_ count: Int, by update: StorageCommand) -> WorkerLogic.Event {
        var result = StorageResult(id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        result.stage = count > 0 ? stages[count - 1] : nil
        result.stageData = StageData(manifest: "slices", prompts: 5)
        result.lacking = stages[count...].reversed().map { StageReport(slice: $0.slice, name: $0.name) }
        return .storage(result)
    }

    /// A training that began at the last stage.
    private func begun() throws -> (WorkerLogicDriver, Job) {
        var driver = WorkerLogicDriver()
        let assignment = CoordinatorMessage.Assignment(
            task: 1, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: nil)
        let update = try #require(driver.say(.assign(assignment)).commands.first)
        let job = try #require(driver.handle(found(2, by: update)).jobs.first)
        #expect(job.computation == .train(specification, prompts: prompts, from: stages[1]))
        return (driver, job)
    }

    private func failed(_ code: ErrorCode) -> JobOutcome { .failed(TaskFailure(code: code, message: "no way on")) }

    @Test("It begins at the one before, and the bad one is deleted and asked of nobody")
    func earlier() throws {
        var (driver, job) = try begun()
        var actions = driver.handle(.finished(job.id, failed(.stageDiffers)))
        #expect(actions.sent.isEmpty)
        #expect(actions.commands.count == 2 && actions.commands[0].access == .discard(stages[1].name))
        actions = driver.handle(found(1, by: actions.commands[1]))
        // It lacks the one that it deleted, and nothing else: nobody is asked.
        #expect(!actions.sent.contains { if case .wants = $0 { true } else { false } })
        let second = try #require(actions.jobs.first)
        #expect(second.computation == .train(specification, prompts: prompts, from: stages[0]))
        actions = driver.handle(.finished(second.id, failed(.stageDiffers)))
        #expect(actions.commands.first?.access == .discard(stages[0].name))
        // Also where the disk could not delete it.
        let third = try #require(driver.handle(found(1, by: actions.commands[1])).jobs.first)
        #expect(third.computation == .train(specification, prompts: prompts, from: nil))
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
        let again = driver.handle(found(1, by: actions.commands[1]))
        let second = try #require(again.jobs.first)
        #expect(second.answering == stages[0])
        let offered = driver.handle(.answers(second.id)).sent.compactMap { message -> Int? in
            if case .staged(1, let report, _) = message { report.slices?.stage } else { nil }
        }
        #expect(offered == [1])
        let all = driver.actions.sent.filter { if case .staged = $0 { true } else { false } }
        #expect(all.count == 1)
    }

    @Test("Numbers that are none begin it at the start, once, whatever others have")
    func anew() throws {
        var (driver, job) = try begun()
        let gone = driver.handle(.finished(job.id, failed(.notFinite)))
        #expect(gone.sent.isEmpty && gone.commands.first?.access == .discard(nil))
        let again = driver.handle(found(0, by: gone.commands[1]))
        let second = try #require(again.jobs.first)
        #expect(second.computation == .train(specification, prompts: prompts, from: nil))
        #expect(!again.sent.contains { if case .wants = $0 { true } else { false } })
        #expect(driver.handle(.finished(second.id, failed(.notFinite))).sent.count == 1)
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
            _ = try Toy.executor().train(
                prompts: prompts, specification: specification, from: misfit, keep: { _ in }, progress: { _ in },
                isCancelled: { false })
            Issue.record("it was trained")
        } catch {
            #expect(TaskFailure(error).code == .stageDiffers)
        }
    }

    @Test("Who keeps the data of a shard that somebody has trained deletes its checkpoint; who trains it does not")
    func checkpoints() throws {
        for (adapter, isTrained) in [("a", true), ("", false), (nil, false)] {
            var driver = WorkerLogicDriver()
            let assignment = CoordinatorMessage.Assignment(
                task: 1, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
                keys: Toy.keys(prompts), adapter: adapter)
            let update = try #require(driver.say(.assign(assignment)).commands.first)
            #expect(
                update.access
                    == .update(
                        Toy.manifest(prompts), keys: Toy.keys(prompts), offered: [], specification: specification,
                        isTrained: isTrained))
        }
    }

    @Test("What is reported is what was kept")
    func reported() throws {
        var (driver, job) = try begun()
        var report = TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: 12, specification: specification,
            steps: 2, tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(save.access == .save(report, adapter: [1]) && save.job == job.id)
        report.keeping = KeepingReport(stages: 1, seconds: 0.5)
        var result = StorageResult(id: save.id, shard: 0, copy: nil, outcome: .saved)
        result.report = report
        #expect(driver.handle(.storage(result)).sent == [.trained(task: 1, report, adapter: [1])])
    }
}
