import ClusterTestSupport
import Messages
import Testing
import Unlearning
import Worker

@Suite("Worker logic: what a training leaves while the disk is slow, or hangs")
struct UnwrittenStagesTests {
    private let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }
    private let early: TrainingStage
    private let late: TrainingStage

    init() throws {
        slices = try TrainedSlices()
        let checkpoints = try slices.withCheckpoints().filter(\.isCheckpoint)
        early = try #require(checkpoints.first { $0.slice == 2 })
        late = try #require(checkpoints.last { $0.slice == 3 })
    }

    /// A training from the start.
    ///
    /// - Parameter bytes: that may wait in any case.
    private func training(room bytes: Int?) throws -> (WorkerLogicDriver, Job) {
        var (driver, update) = try slices.assigned()
        if let bytes { driver.state.unwritten.bytes = bytes }
        let job = try #require(driver.handle(slices.found(0, by: update, isLacking: false)).jobs.first)
        return (driver, job)
    }

    /// The command that keeps the stage; nil: it is left out.
    private func kept(_ stage: TrainingStage, of job: Job, _ driver: inout WorkerLogicDriver) -> StorageCommand? {
        driver.handle(.stage(job.id, stage)).commands.first { command in
            if case .keepStage = command.access { true } else { false }
        }
    }

    private func unkept(_ job: Job, _ driver: inout WorkerLogicDriver) -> String? {
        let progress = WorkerMessage.TaskProgress(
            task: 0, step: 1, steps: 9, loss: 0.5, tokensPerSecond: 1, secondsRemaining: 1)
        for case .progress(let said) in driver.handle(.progress(job.id, progress)).sent { return said.unkept }
        return nil
    }

    @Test("Two of them wait at most, a checkpoint behind nothing; the others are left out, and that is said")
    func bounded() throws {
        var (driver, job) = try training(room: 0)
        let first = try #require(kept(early, of: job, &driver))
        #expect(kept(late, of: job, &driver) == nil)
        #expect(unkept(job, &driver)?.hasPrefix("a checkpoint in slice 3 is not kept") == true)
        let second = try #require(kept(stages[0], of: job, &driver))
        #expect(kept(stages[1], of: job, &driver) == nil)
        #expect(unkept(job, &driver)?.hasPrefix("the stage after slice 2 is not kept") == true)

        // As soon as one of them is written there is room for the next.
        driver.store(first, .saved)
        let third = try #require(kept(stages[1], of: job, &driver))
        driver.store(second, .saved)
        #expect(kept(late, of: job, &driver) == nil)
        driver.store(third, .saved)
        #expect(unkept(job, &driver)?.hasPrefix("a checkpoint in slice 3 is not kept") == true)
        let last = try #require(kept(late, of: job, &driver))
        driver.store(last, .saved)
        #expect(unkept(job, &driver) == nil)
        // The training was not held up by any of it.
        #expect(driver.actions.cancelled.isEmpty && driver.actions.jobs.map(\.id) == [job.id])
    }

    @Test("Small ones all wait, and what another training left does not count")
    func room() throws {
        var (driver, job) = try training(room: nil)
        for stage in [early, stages[0], stages[1], late] { #expect(kept(stage, of: job, &driver) != nil) }

        (driver, job) = try training(room: 0)
        for stage in stages { #expect(kept(stage, of: job, &driver) != nil) }
        driver.say(.cancel(task: 1))
        driver.handle(.finished(job.id, .cancelled))
        let again = try #require(driver.say(.assign(slices.assignment(task: 2))).commands.first)
        let next = try #require(driver.handle(slices.found(0, by: again, isLacking: false)).jobs.first)
        #expect(kept(stages[0], of: next, &driver) != nil)
    }

    @Test("What leads nowhere goes from the disk, also where nothing can come in its place")
    func doubted() throws {
        var (driver, update) = try slices.assigned()
        driver.state.unwritten.bytes = 0
        let begun = try #require(driver.handle(slices.found(2, by: update)).jobs.first)
        let diverged = JobOutcome.failed(TaskFailure(code: .notFinite, message: "the loss is none"))
        let anew = try #require(driver.handle(.finished(begun.id, diverged)).commands.first)
        let job = try #require(driver.handle(slices.found(2, by: anew)).jobs.first)
        #expect(kept(early, of: job, &driver) != nil)
        #expect(kept(stages[0], of: job, &driver) != nil)
        let commands = driver.handle(.stage(job.id, stages[1])).commands
        #expect(commands.map(\.access) == [.discard(stages[1].name)])
        let discard = try #require(commands.first)
        driver.store(discard, .saved)
        #expect(unkept(job, &driver)?.hasPrefix("the stage after slice 2 is not kept") == true)
    }
}
