import ClusterTestSupport
import Messages
import Testing
import Unlearning
import Worker

@Suite("Worker logic: a training that comes to numbers that are none")
struct DoubtedStageTests {
    let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }
    private let diverged = JobOutcome.failed(TaskFailure(code: .notFinite, message: "the loss is none"))

    init() throws { slices = try TrainedSlices() }

    private func isFromStart(_ job: Job) -> Bool {
        if case .train(_, _, nil) = job.computation { true } else { false }
    }

    /// Each says what is taken back.
    private func withdrawals(_ messages: [WorkerMessage]) -> Int {
        messages.count { message in
            if case .withdrawn(1, .some) = message { true } else { false }
        }
    }

    /// A training that began at the last stage, which was offered.
    private func begun() throws -> (WorkerLogicDriver, Job) {
        var (driver, update) = try slices.assigned()
        let job = try #require(driver.handle(slices.found(2, by: update)).jobs.first)
        #expect(driver.handle(.answers(job.id)).sent.offeredSlices == [2])
        return (driver, job)
    }

    /// It failed, and begins at the start.
    private func doubted() throws -> (WorkerLogicDriver, Job) {
        var (driver, job) = try begun()
        let gone = driver.handle(.finished(job.id, diverged))
        #expect(withdrawals(gone.sent) == 1 && gone.sent.count == 1)
        // Nothing is deleted before it is known what is at fault.
        let update = try #require(gone.commands.first)
        #expect(gone.commands.count == 1)
        if case .update = update.access {} else { Issue.record("\(update.access)") }
        let again = driver.handle(slices.found(2, by: update))
        let second = try #require(again.jobs.first)
        #expect(isFromStart(second) && again.sent.isEmpty)
        return (driver, second)
    }

    @Test("The stage is withdrawn, nothing is deleted, and a training from the start tells what is at fault")
    func bad() throws {
        var (driver, job) = try doubted()
        // It leaves what it passes in the place of what was bad, and that may answer.
        let first = driver.handle(.stage(job.id, stages[0]))
        #expect(first.commands.map(\.access) == [.keepStage(stages[0], slices.specification)] && first.sent.isEmpty)
        let second = driver.handle(.stage(job.id, stages[1]))
        #expect(second.commands.map(\.access) == [.keepStage(stages[1], slices.specification, isDoubted: true)])
        #expect(second.sent.offeredSlices == [2])
        let end = driver.handle(.finished(job.id, .trained(slices.report, adapter: [1])))
        #expect(end.commands.map(\.access) == [.save(slices.report, adapter: [1])])
        #expect(withdrawals(driver.actions.sent) == 1)
    }

    @Test("A training that diverges from the start as well has failed, and keeps every stage that it passed")
    func diverging() throws {
        var (driver, job) = try doubted()
        driver.handle(.stage(job.id, stages[0]))
        driver.handle(.stage(job.id, stages[1]))
        let end = driver.handle(.finished(job.id, diverged))
        #expect(end.sent == [.failed(task: 1, code: .notFinite, message: "the loss is none")])
        #expect(end.commands.map(\.access) == [.discardAllBut(Set(stages.map(\.name)))])

        // Told to try again it begins at the last of them, and not once more at the start.
        let update = try #require(driver.say(.assign(slices.assignment(task: 2))).commands.first)
        let again = try #require(driver.handle(slices.found(2, by: update)).jobs.first)
        #expect(again.computation == .train(slices.specification, prompts: slices.prompts, from: stages[1]))
        let last = driver.handle(.finished(again.id, diverged))
        #expect(last.sent == [.failed(task: 2, code: .notFinite, message: "the loss is none")] && last.commands.isEmpty)
    }

    @Test("What a diverging training from the start did not come to is no training's: it goes")
    func beyond() throws {
        var (driver, job) = try doubted()
        driver.handle(.stage(job.id, stages[0]))
        let end = driver.handle(.finished(job.id, diverged))
        #expect(end.commands.map(\.access) == [.discardAllBut([stages[0].name])])
        #expect(end.sent.count == 1)
    }

    @Test("A training that is given up in between begins at the start when it is wanted again; another one does not")
    func interrupted() throws {
        var (driver, job) = try doubted()
        driver.say(.cancel(task: 1))
        driver.handle(.finished(job.id, .cancelled))
        let update = try #require(driver.say(.assign(slices.assignment(task: 2))).commands.first)
        let again = driver.handle(slices.found(2, by: update))
        #expect(again.jobs.map(isFromStart) == [true] && again.sent.isEmpty)

        (driver, job) = try doubted()
        driver.say(.cancel(task: 1))
        driver.handle(.finished(job.id, .cancelled))
        var other = slices.assignment(task: 3)
        other.specification.seed += 1
        let command = try #require(driver.say(.assign(other)).commands.first)
        #expect(driver.handle(slices.found(2, by: command)).jobs.map(isFromStart) == [false])
    }

    @Test("A coordinator that is found again is told again that the stage is withdrawn")
    func toldAgain() throws {
        var (driver, _) = try doubted()
        driver.handle(.disconnected)
        #expect(withdrawals(driver.handle(.connected(goingOnWith: [1])).sent) == 1)
        #expect(withdrawals(driver.say(.assign(slices.assignment())).sent) == 1)
        // Also where the training is another worker's by now: what this one offered may answer still.
        driver.handle(.disconnected)
        #expect(withdrawals(driver.handle(.connected(goingOnWith: [])).sent) == 1)
    }

    @Test("A training that goes on for nobody takes back what it offered, and offers nothing")
    func forNobody() throws {
        var (driver, job) = try begun()
        driver.handle(.disconnected)
        #expect(driver.handle(.connected(goingOnWith: [])).sent.isEmpty)
        let gone = driver.handle(.finished(job.id, diverged))
        #expect(withdrawals(gone.sent) == 1 && gone.sent.count == 1)
        let update = try #require(gone.commands.first)
        let again = try #require(driver.handle(slices.found(2, by: update)).jobs.first)
        driver.handle(.stage(again.id, stages[0]))
        #expect(driver.handle(.stage(again.id, stages[1])).sent.isEmpty)
    }

    @Test("A stage that nobody was offered need not be withdrawn, and a checkpoint is doubted like a stage")
    func checkpoint() throws {
        let checkpoint = try #require(try slices.withCheckpoints().last { $0.isCheckpoint })
        var (driver, update) = try slices.assigned()
        let job = try #require(driver.handle(slices.found(2, by: update, checkpoint: checkpoint)).jobs.first)
        let gone = driver.handle(.finished(job.id, diverged))
        #expect(gone.sent.isEmpty && gone.commands.count == 1)
        let again = driver.handle(slices.found(2, by: gone.commands[0], checkpoint: checkpoint))
        #expect(again.jobs.map(isFromStart) == [true])
    }
}
