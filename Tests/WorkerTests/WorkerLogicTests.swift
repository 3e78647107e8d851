import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic")
struct WorkerLogicTests {
    let prompts = Toy.prompts(0..<4)
    let specification = Toy.specification()

    func assignment(
        task: TaskID, shard: Int = 0, prompts: [TrainingPrompt]? = nil, specification: TrainingSpecification? = nil,
        adapter: String? = nil
    ) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: shard, specification: specification ?? self.specification,
                manifest: Toy.manifest(prompts ?? self.prompts), keys: Toy.keys(prompts ?? self.prompts),
                adapter: adapter))
    }

    func copy(shard: Int = 0) -> ShardCopy {
        ShardCopy(shard: shard, manifest: Toy.manifest(prompts).digest, prompts: 4, adapter: nil)
    }

    var report: TrainingReport {
        TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: 4, specification: specification, steps: 2,
            tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
    }

    /// A driver whose shard 0 is in training for task 1.
    func training() throws -> (WorkerLogicDriver, Job) {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        let job = try #require(driver.store(update, .complete(prompts, trained: nil), copy: copy()).jobs.first)
        return (driver, job)
    }

    @Test("An assignment asks for what is missing, then says what it holds, trains, keeps the adapter and reports")
    func assignmentFlow() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        #expect(
            update.access
                == .update(
                    Toy.manifest(prompts), keys: Toy.keys(prompts), offered: [], specification: specification))
        #expect(driver.actions.sent.isEmpty)
        let digests = prompts.map(\.digest)
        #expect(driver.store(update, .missing(digests)) == [.send(.need(task: 1, digests: digests))])
        let offer = try #require(driver.say(.prompts(task: 1, prompts: prompts)).commands.first)
        let start = driver.store(offer, .complete(prompts, trained: nil), copy: copy())
        #expect(start.sent == [.holds(copy())])
        let job = try #require(start.jobs.first)
        #expect(job.computation == .train(specification, prompts: prompts))
        let saving = driver.handle(.finished(job.id, .trained(report, adapter: [1])))
        #expect(saving.sent.isEmpty)
        let save = try #require(saving.commands.first)
        var kept = copy()
        kept.trained = "name"
        #expect(
            driver.store(save, .saved, copy: copy()) == [
                .send(.holds(kept)), .send(.trained(task: 1, report, adapter: [1])),
            ])
        #expect(driver.state.currentCopies == [copy()])
    }

    @Test("A kept adapter of the same manifest and specification is reported at once")
    func kept() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 9)).commands.first)
        let stored = StorageResult.Trained(report: report, adapter: [5])
        let actions = driver.store(update, .complete(prompts, trained: stored), copy: copy())
        #expect(actions == [.send(.holds(copy())), .send(.trained(task: 9, report, adapter: [5]))])
    }

    @Test("Where the coordinator has the adapter the worker only takes the data into its keeping")
    func keepingOnly() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1, adapter: "name")).commands.first)
        #expect(
            driver.store(update, .complete(prompts, trained: nil), copy: copy()) == [.send(.holds(copy()))])
    }

    @Test("Progress carries the task's id")
    func progress() throws {
        var (driver, job) = try training()
        let progress = WorkerMessage.TaskProgress(
            task: 0, step: 1, steps: 2, loss: 0.1, tokensPerSecond: 1, secondsRemaining: 1)
        var expected = progress
        expected.task = 1
        #expect(driver.handle(.progress(job.id, progress)) == [.send(.progress(expected))])
    }

    @Test("The same assignment again does not restart a running training and gets the answer under its new id")
    func sameAgain() throws {
        var (driver, job) = try training()
        #expect(driver.say(assignment(task: 7)).isEmpty)
        let save = try #require(
            driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(driver.store(save, .saved).sent == [.trained(task: 7, report, adapter: [1])])
    }

    @Test("A training goes on without the coordinator and is reported to whoever assigns the same again")
    func reconnection() throws {
        var (driver, job) = try training()
        #expect(driver.handle(.disconnected).isEmpty)
        let progress = WorkerMessage.TaskProgress(
            task: 0, step: 1, steps: 2, loss: 0.1, tokensPerSecond: 1, secondsRemaining: 1)
        #expect(driver.handle(.progress(job.id, progress)).isEmpty)
        driver.handle(.connected(goingOnWith: []))
        #expect(driver.say(assignment(task: 1)).isEmpty)
        let save = try #require(
            driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(driver.store(save, .saved).sent == [.trained(task: 1, report, adapter: [1])])
    }

    @Test("A training that ends without the coordinator is kept, and not sent to one that does not wait for it")
    func endsAlone() throws {
        var (driver, job) = try training()
        driver.handle(.disconnected)
        let save = try #require(
            driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(driver.store(save, .saved, copy: copy()).isEmpty)
        #expect(driver.state.currentCopies == [copy()])
        #expect(driver.handle(.connected(goingOnWith: [])).isEmpty)
    }

    @Test("A training that the new connection has not asked for yields to work that it asks for")
    func yields() throws {
        var (driver, job) = try training()
        driver.handle(.disconnected)
        driver.handle(.connected(goingOnWith: []))
        let embed = CoordinatorMessage.embed(
            task: 5, source: EmbeddingSource(layer: 1, pooling: .mean), prompts: prompts)
        #expect(driver.say(embed) == [.cancel(job.id)])
        #expect(driver.handle(.finished(job.id, .cancelled)).jobs.count == 1)
    }

    @Test("What was asked for before a reconnection is asked for again")
    func needAgain() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        driver.store(update, .missing(["d"]))
        driver.handle(.disconnected)
        driver.handle(.connected(goingOnWith: []))
        #expect(driver.say(assignment(task: 4)) == [.send(.need(task: 4, digests: ["d"]))])
        #expect(driver.say(.prompts(task: 1, prompts: prompts)).isEmpty)
    }

    @Test("A new manifest stops the old training before the disk is changed")
    func newManifest() throws {
        var (driver, job) = try training()
        let actions = driver.say(assignment(task: 2, prompts: Array(prompts.dropLast())))
        #expect(actions.cancelled == [job.id])
        let update = try #require(actions.commands.first)
        #expect(actions.sent.isEmpty)
        // The old training's end says nothing any more, whatever it is.
        #expect(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).isEmpty)
        let fewer = Array(prompts.dropLast())
        let next = driver.store(update, .complete(fewer, trained: nil))
        #expect(next.jobs.count == 1)
    }

    @Test("A storage result that a newer assignment has overtaken starts nothing")
    func overtaken() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(task: 1)).commands.first)
        let second = try #require(driver.say(assignment(task: 2, prompts: Toy.prompts(0..<2))).commands.first)
        #expect(driver.store(first, .complete(prompts, trained: nil)).isEmpty)
        #expect(driver.store(second, .missing(["d"])).sent == [.need(task: 2, digests: ["d"])])
    }

    @Test("Jobs run one at a time, first come first served")
    func queue() throws {
        var (driver, job) = try training()
        let score = CoordinatorMessage.ScoreTask(
            task: 2, rule: .nonDecomposed, adapters: [], weights: [], prompts: prompts)
        #expect(driver.say(.score(score)).isEmpty)
        #expect(
            driver.say(.embed(task: 3, source: EmbeddingSource(layer: 1, pooling: .mean), prompts: prompts)).isEmpty)
        let scoring = try #require(driver.handle(.finished(job.id, .cancelled)).jobs.first)
        #expect(scoring.computation == .score(score, adapters: []))
        let next = driver.handle(.finished(scoring.id, .scored(margins: [1], tokens: 4, seconds: 2)))
        #expect(next.sent == [.scored(task: 2, tokens: 4, seconds: 2, margins: [1])])
        let embedding = try #require(next.jobs.first)
        let last = driver.handle(.finished(embedding.id, .embedded(values: [3], tokens: 5, seconds: 6)))
        #expect(last == [.send(.embedded(task: 3, tokens: 5, seconds: 6, values: [3]))])
    }

    @Test("Cancelling stops a running task and forgets a waiting one, without an answer")
    func cancel() throws {
        var (driver, job) = try training()
        driver.say(.replay(task: 2, specification: specification, prompts: prompts))
        #expect(driver.say(.cancel(task: 2)).isEmpty)
        #expect(driver.say(.cancel(task: 1)) == [.cancel(job.id)])
        #expect(driver.handle(.finished(job.id, .cancelled)).isEmpty)
        #expect(driver.say(.cancel(task: 99)).isEmpty)
    }

    @Test("A replay is reported with shard -1 and touches no storage")
    func replay() throws {
        var driver = WorkerLogicDriver()
        let job = try #require(
            driver.say(.replay(task: 2, specification: specification, prompts: prompts)).jobs.first)
        let actions = driver.handle(.finished(job.id, .trained(report, adapter: [1])))
        #expect(actions == [.send(.trained(task: 2, report, adapter: [1]))])
        #expect(driver.actions.commands.isEmpty)
    }

    @Test("Releasing a shard stops its training, deletes it and says so")
    func release() throws {
        var (driver, job) = try training()
        let actions = driver.say(.release(shard: 0))
        #expect(actions.cancelled == [job.id])
        let remove = try #require(actions.commands.first)
        #expect(remove.access == .remove)
        #expect(driver.store(remove, .removed) == [.send(.released(shard: 0))])
        #expect(driver.state.currentCopies.isEmpty)
    }

    @Test("A deletion that failed is not reported as done")
    func failedRelease() throws {
        var driver = WorkerLogicDriver(copies: [copy()])
        let remove = try #require(driver.say(.release(shard: 0)).commands.first)
        let failure = TaskFailure(code: .storage, message: "read-only")
        #expect(driver.store(remove, .failed(failure), copy: copy()).sent.isEmpty)
        #expect(driver.state.currentCopies == [copy()])
    }

    @Test("A full disk fails the task with a code, and the next assignment works")
    func fullDisk() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        let failure = TaskFailure(code: .diskFull, message: "no space left")
        #expect(
            driver.store(update, .failed(failure)).sent == [
                .failed(task: 1, code: .diskFull, message: "no space left")
            ])
        #expect(driver.say(assignment(task: 2)).commands.count == 1)
    }

    @Test("An adapter that could not be kept is reported all the same")
    func unkeptAdapter() throws {
        var (driver, job) = try training()
        let save = try #require(
            driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        let failure = TaskFailure(code: .diskFull, message: "no space left")
        #expect(driver.store(save, .failed(failure)).sent == [.trained(task: 1, report, adapter: [1])])
    }

    @Test("A training that fails says why, and the next job starts")
    func failedTraining() throws {
        var (driver, job) = try training()
        driver.say(.replay(task: 2, specification: specification, prompts: prompts))
        let actions = driver.handle(.finished(job.id, .failed(TaskFailure(UnlearningError.noSamples))))
        #expect(
            actions.sent == [.failed(task: 1, code: .noSamples, message: "there are no samples to train on")])
        #expect(actions.jobs.count == 1)
    }

    @Test("Prompts that were not asked for are an error, not a loop")
    func wrongPrompts() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        driver.store(update, .missing(["d"]))
        guard case .failed(1, .promptsMissing, _)? = driver.say(.prompts(task: 1, prompts: prompts)).sent.first else {
            Issue.record("no failure")
            return
        }
    }

    @Test("Another base model or precision is refused before anything is touched")
    func mismatch() {
        var driver = WorkerLogicDriver()
        var other = specification
        other.base = "other"
        let base = driver.say(assignment(task: 1, specification: other))
        other = specification
        other.precision = .bf16
        let precision = driver.say(.replay(task: 2, specification: other, prompts: prompts))
        guard case .failed(1, .wrongBase, _)? = base.sent.first,
            case .failed(2, .wrongPrecision, _)? = precision.sent.first
        else {
            Issue.record("accepted")
            return
        }
        #expect(driver.actions.commands.isEmpty && driver.actions.jobs.isEmpty)
    }
}
