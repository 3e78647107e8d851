import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker that loses its coordinator and finds it again")
struct WorkerReconnectionTests {
    let prompts = Toy.prompts(0..<4)
    let specification = Toy.specification()

    private var report: TrainingReport {
        TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: 4, specification: specification, steps: 2,
            tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
    }

    private func assignment(task: TaskID) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
                keys: Toy.keys(prompts), adapter: nil))
    }

    private func training(task: TaskID) throws -> (WorkerLogicDriver, Job) {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: task)).commands.first)
        let job = try #require(driver.store(update, .complete(prompts, trained: nil)).jobs.first)
        return (driver, job)
    }

    private func progress(_ step: Int, of steps: Int) -> WorkerMessage.TaskProgress {
        .init(task: 0, step: step, steps: steps, loss: 0.1, tokensPerSecond: 1, secondsRemaining: 1)
    }

    @Test("It goes on computing, says what and how far it is, and stops nothing that is still wanted")
    func goesOn() throws {
        var (driver, job) = try training(task: 1)
        driver.say(.replay(task: 2, specification: specification, prompts: prompts))
        #expect(driver.handle(.disconnected).isEmpty)
        #expect(driver.handle(.progress(job.id, progress(1, of: 4))).isEmpty)
        let held = driver.state.heldTasks
        #expect(held.map(\.task) == [1, 2])
        #expect(held.first?.share == 0.25)
        #expect(
            held.map(\.content) == [
                .training(
                    .init(shard: 0, manifest: Toy.manifest(prompts).digest, specification: specification)),
                .replay(manifest: Toy.manifest(prompts).digest, specification: specification),
            ])
        #expect(driver.handle(.connected(goingOnWith: [1, 2])).isEmpty)
        #expect(driver.handle(.progress(job.id, progress(2, of: 4))).sent.count == 1)
        let end = driver.handle(.finished(job.id, .trained(report, adapter: [1])))
        let save = try #require(end.commands.first)
        let replay = try #require(end.jobs.first)
        #expect(driver.store(save, .saved).sent == [.trained(task: 1, report, adapter: [1])])
        let again = driver.handle(.finished(replay.id, .trained(report, adapter: [2])))
        #expect(again.sent == [.trained(task: 2, report, adapter: [2])])
    }

    @Test("What is not wanted any more is stopped, whether it runs or waits")
    func stops() throws {
        var driver = WorkerLogicDriver()
        let job = try #require(
            driver.say(.replay(task: 2, specification: specification, prompts: prompts)).jobs.first)
        driver.say(.embed(task: 3, source: EmbeddingSource(layer: 1, pooling: .mean), prompts: prompts))
        driver.handle(.disconnected)
        #expect(driver.handle(.connected(goingOnWith: [])) == [.cancel(job.id)])
        #expect(driver.handle(.finished(job.id, .cancelled)).isEmpty)
    }

    @Test("Results are sent after the reconnection, and again after the next one unless they are known to have come")
    func results() throws {
        var driver = WorkerLogicDriver()
        let embed = CoordinatorMessage.embed(
            task: 3, source: EmbeddingSource(layer: 1, pooling: .mean), prompts: prompts)
        let job = try #require(driver.say(embed).jobs.first)
        driver.handle(.disconnected)
        #expect(driver.handle(.finished(job.id, .embedded(values: [1], tokens: 2, seconds: 3))).isEmpty)
        let result = WorkerMessage.embedded(task: 3, tokens: 2, seconds: 3, values: [1])
        let content = HeldTask.Content.embeddings(
            EmbeddingSource(layer: 1, pooling: .mean), digests: prompts.map(\.digest))
        for _ in 0..<2 {
            #expect(driver.state.heldTasks == [HeldTask(task: 3, content: content, share: 1)])
            #expect(driver.handle(.connected(goingOnWith: [3])) == [.send(result)])
            driver.handle(.disconnected)
        }
        driver.handle(.connected(goingOnWith: [3]))
        driver.say(.taken(task: 3))
        driver.handle(.disconnected)
        #expect(driver.state.heldTasks.isEmpty)
        #expect(driver.handle(.connected(goingOnWith: [3])).isEmpty)
    }

    @Test("What a task still lacked is asked for again")
    func asksAgain() throws {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        driver.store(update, .missing(["d"]))
        let score = CoordinatorMessage.ScoreTask(
            task: 2, rule: .decomposed, adapters: ["a"], weights: [], prompts: prompts)
        #expect(driver.say(.score(score)) == [.send(.lacks(task: 2, adapters: ["a"]))])
        driver.handle(.disconnected)
        #expect(
            driver.handle(.connected(goingOnWith: [1, 2])).sent
                == [.need(task: 1, digests: ["d"]), .lacks(task: 2, adapters: ["a"])])
    }
}
