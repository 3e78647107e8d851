import ClusterTestSupport
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: a training that waits for another worker's stages")
struct WorkerFetchLogicTests {
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

    private var lacking: [StageReport] { stages.reversed().map { StageReport(slice: $0.slice, name: $0.name) } }

    private func handed(_ stage: TrainingStage) throws -> HandedStage {
        let report = try stage.report()
        return HandedStage(name: stage.name, digest: report.digest ?? "", bytes: try stage.bytes())
    }

    /// Assigned, complete, and without stages of its own.
    private func waiting(adapter: String? = nil) throws -> (WorkerLogicDriver, [WorkerLogic.Action]) {
        var driver = WorkerLogicDriver()
        let assignment = CoordinatorMessage.Assignment(
            task: 1, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: adapter)
        let update = try #require(driver.say(.assign(assignment)).commands.first)
        var result = StorageResult(id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        result.lacking = lacking
        let actions = driver.handle(.storage(result))
        return (driver, actions)
    }

    private var wants: WorkerMessage {
        .wants(shard: 0, manifest: Toy.manifest(prompts).digest, stages: lacking.map(\.name))
    }

    private func taken(_ stage: TrainingStage, by command: StorageCommand) -> StorageResult {
        StorageResult(
            id: command.id, shard: 0, copy: nil, outcome: .taken(stage), stage: stage,
            stageData: StageData(manifest: "slices", prompts: 5))
    }

    @Test("It asks for what it lacks, and begins at the first that comes")
    func fetched() throws {
        var (driver, asked) = try waiting()
        #expect(asked.sent == [wants] && asked.jobs.isEmpty)
        let last = try #require(stages.last)
        let take = try #require(driver.say(.stage(shard: 0, handed(last))).commands.first)
        #expect(take.access == .take(try handed(last)))
        let begun = driver.handle(.storage(taken(last, by: take)))
        #expect(begun.jobs.map(\.computation) == [.train(specification, prompts: prompts, from: last)])
        let job = try #require(begun.jobs.first)
        #expect(begun.sent.isEmpty && job.answering == last)
        #expect(driver.handle(.answers(job.id)).sent.contains { if case .staged(1, _, _) = $0 { true } else { false } })
        // Others are kept, and change nothing.
        let first = try #require(driver.say(.stage(shard: 0, handed(stages[0]))).commands.first)
        #expect(driver.handle(.storage(taken(stages[0], by: first))).jobs.isEmpty)
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
    }

    @Test("Where nobody has any it begins at the start, but not before what has come is on the disk or is not")
    func none() throws {
        var (driver, _) = try waiting()
        let begun = driver.say(.noStage(shard: 0))
        #expect(begun.jobs.map(\.computation) == [.train(specification, prompts: prompts, from: nil)])

        (driver, _) = try waiting()
        let take = try #require(driver.say(.stage(shard: 0, handed(stages[0]))).commands.first)
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
        let failure = TaskFailure(code: .stageDiffers, message: "another one")
        #expect(driver.store(take, .failed(failure)).jobs.map(\.computation) == begun.jobs.map(\.computation))
    }

    @Test(
        "What its own disk does not take it waits for no longer: it begins with what it has", arguments: [true, false])
    func refused(isFull: Bool) throws {
        var (driver, _) = try waiting()
        let take = try #require(driver.say(.stage(shard: 0, handed(stages[1]))).commands.first)
        let failure = TaskFailure(code: isFull ? .diskFull : .storage, message: "no space")
        let begun = driver.store(take, .failed(failure))
        #expect(begun.jobs.map(\.computation) == [.train(specification, prompts: prompts, from: nil)])
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
        // One that is not the one on record may come from somebody else.
        (driver, _) = try waiting()
        let other = try #require(driver.say(.stage(shard: 0, handed(stages[1]))).commands.first)
        let differs = TaskFailure(code: .stageDiffers, message: "another one")
        #expect(driver.store(other, .failed(differs)).jobs.isEmpty)
    }

    @Test("A lost connection ends the waiting, and a coordinator that assigns the same again is asked again")
    func lost() throws {
        var (driver, _) = try waiting()
        let assignment = CoordinatorMessage.Assignment(
            task: 2, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: nil)
        #expect(driver.say(.assign(assignment)).sent == [wants])
        #expect(driver.handle(.disconnected).jobs.count == 1)
        #expect(driver.handle(.connected(goingOnWith: [2])).jobs.isEmpty)
    }

    @Test("Who only keeps the data asks too; who brings an old copy up to date does not")
    func keeping() throws {
        let (_, kept) = try waiting(adapter: "a")
        #expect(kept.sent == [wants] && kept.jobs.isEmpty)
        let (_, brought) = try waiting(adapter: "")
        #expect(brought.sent.isEmpty)
    }

    @Test("A stage that is asked for is read once the copy is that of the manifest, and sent, or said not to be there")
    func handing() throws {
        let stage = try handed(stages[0])
        func asked(_ outcome: StorageResult.Outcome, _ name: String?) throws -> [WorkerMessage] {
            var driver = WorkerLogicDriver(copies: [ShardCopy(shard: 0, manifest: "old", prompts: 13, adapter: nil)])
            let task = CoordinatorMessage.HandTask(
                task: 7, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
                keys: Toy.keys(prompts), stage: name)
            let hand = try #require(driver.say(.hand(task)).commands.first)
            #expect(
                hand.access
                    == .hand(
                        Toy.manifest(prompts), keys: Toy.keys(prompts), specification: specification, stage: name))
            return driver.store(
                hand, outcome, copy: ShardCopy(shard: 0, manifest: "new", prompts: 12, adapter: nil)
            ).sent
        }
        let holds = WorkerMessage.holds(ShardCopy(shard: 0, manifest: "new", prompts: 12, adapter: nil))
        #expect(try asked(.handed(stage), stage.name) == [holds, .handed(task: 7, stage)])
        #expect(try asked(.handed(nil), nil) == [holds])
        let failure = TaskFailure(code: .notHeld, message: "gone")
        #expect(
            try asked(.failed(failure), stage.name) == [holds, .failed(task: 7, code: .notHeld, message: "gone")])
    }

    @Test("A replay of one slice is no training of the whole: no other coordinator takes it for one")
    func replaying() throws {
        var driver = WorkerLogicDriver()
        let replay = CoordinatorMessage.StageReplay(
            task: 4, specification: specification, slice: 2, prompts: prompts, before: try handed(stages[0]))
        let job = try #require(driver.say(.replayStage(replay)).jobs.first)
        #expect(driver.state.heldTasks.map(\.content) == [nil])
        let whole = try Toy.executor().train(
            prompts: prompts, specification: specification, from: stages[0], keep: { _ in }, progress: { _ in },
            isCancelled: { false })
        driver.handle(.finished(job.id, .trained(whole.report, adapter: [1])))
        #expect(driver.state.heldTasks.map(\.content) == [nil])
    }
}
