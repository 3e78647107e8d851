import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: the same assignment with other keys")
struct WorkerKeysLogicTests {
    let prompts = Toy.prompts(0..<4)
    let specification = Toy.specification()
    var other: ShardKeys { Toy.keys(prompts, shard: 1, people: [0: 1]) }

    private func assignment(_ task: TaskID, _ keys: ShardKeys, correction: PendingCorrection? = nil)
        -> CoordinatorMessage
    {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: 0, specification: specification, manifest: Toy.manifest(prompts), keys: keys,
                adapter: nil, correction: correction))
    }

    private func update(_ keys: ShardKeys, offered: [TrainingPrompt] = []) -> StorageCommand.Access {
        .update(Toy.manifest(prompts), keys: keys, offered: offered, specification: specification)
    }

    private var copy: ShardCopy {
        ShardCopy(shard: 0, manifest: Toy.manifest(prompts).digest, prompts: 4, adapter: nil)
    }

    /// As it is said right before the training's result.
    private var kept: ShardCopy {
        var copy = copy
        copy.trained = report.adapter
        return copy
    }

    private var report: TrainingReport {
        TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: 4, specification: specification, steps: 2,
            tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
    }

    @Test("While the disk is brought up to date, it is brought to the new keys, and that result counts")
    func updating() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(1, Toy.keys(prompts))).commands.first)
        let second = try #require(driver.say(assignment(2, other)).commands.first)
        #expect(second.access == update(other))
        #expect(driver.store(first, .complete(prompts, trained: nil), copy: copy).isEmpty)
        #expect(driver.store(second, .complete(prompts, trained: nil), copy: copy).jobs.count == 1)
    }

    @Test("While prompts are awaited, what is missing under the new keys is asked for")
    func waiting() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(1, Toy.keys(prompts))).commands.first)
        driver.store(first, .missing([prompts[0].digest]))
        let second = try #require(driver.say(assignment(2, other)).commands.first)
        let need = driver.store(second, .missing(prompts.map(\.digest)))
        #expect(need == [.send(.need(task: 2, digests: prompts.map(\.digest)))])
        let third = try #require(driver.say(.prompts(task: 2, prompts: prompts)).commands.first)
        #expect(third.access == update(other, offered: prompts))
    }

    @Test("A running training goes on, and answers under the new task")
    func training() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(1, Toy.keys(prompts))).commands.first)
        let job = try #require(driver.store(first, .complete(prompts, trained: nil), copy: copy).jobs.first)
        let actions = driver.say(assignment(2, other))
        #expect(actions.commands.map(\.access) == [update(other)] && actions.count == 1)
        let sealing = try #require(actions.commands.first)
        #expect(driver.store(sealing, .complete(prompts, trained: nil), copy: copy).isEmpty)
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        #expect(
            driver.store(save, .saved, copy: copy) == [
                .send(.holds(kept)), .send(.trained(task: 2, report, adapter: [1])),
            ])
    }

    @Test("An adapter that is being kept is kept again under the new keys, and answered once")
    func saving() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(1, Toy.keys(prompts))).commands.first)
        let job = try #require(driver.store(first, .complete(prompts, trained: nil), copy: copy).jobs.first)
        let save = try #require(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).commands.first)
        let commands = driver.say(assignment(2, other)).commands
        #expect(commands.map(\.access) == [update(other), .save(report, adapter: [1])])
        #expect(driver.store(save, .saved, copy: copy).isEmpty)
        #expect(driver.store(commands[0], .complete(prompts, trained: nil), copy: copy).isEmpty)
        #expect(
            driver.store(commands[1], .saved, copy: copy).sent == [
                .holds(kept), .trained(task: 2, report, adapter: [1]),
            ])
    }

    @Test("The same keys again change nothing")
    func same() throws {
        var driver = WorkerLogicDriver()
        let first = try #require(driver.say(assignment(1, Toy.keys(prompts))).commands.first)
        #expect(driver.say(assignment(2, Toy.keys(prompts))).isEmpty)
        driver.store(first, .complete(prompts, trained: nil), copy: copy)
        #expect(driver.say(assignment(3, Toy.keys(prompts))).isEmpty)
    }

    @Test("What the first update handed over for a correction is not lost to the second")
    func preparation() throws {
        let executor = Toy.executor()
        let adapter = try executor.train(
            prompts: prompts, specification: specification, progress: { _ in }, isCancelled: { false }
        ).adapter
        let made = try executor.prepare(
            adapter: adapter, prompts: prompts, trial: InfluenceTrial(specification: specification),
            progress: { _ in }, isCancelled: { false })
        let correction = PendingCorrection(
            method: .ifru(IFRUConfiguration()), original: adapter.safetensorsBytes(), provenance: .trained,
            request: InfluenceRequest(direct: [Toy.prompt(9)]))
        var driver = WorkerLogicDriver()
        let first = try #require(
            driver.say(assignment(1, Toy.keys(prompts), correction: correction)).commands.first)
        let second = try #require(driver.say(assignment(2, other, correction: correction)).commands.first)
        let handed = StorageResult(
            id: first.id, shard: 0, copy: copy, outcome: .complete(prompts, trained: nil), preparation: made)
        #expect(driver.handle(.storage(handed)).isEmpty)
        let job = try #require(driver.store(second, .complete(prompts, trained: nil), copy: copy).jobs.first)
        #expect(job.computation == .correct(correction, specification, prompts: prompts, preparation: made))
    }
}
