import ClusterTestSupport
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker logic: a training that waits for another worker's stages")
struct WorkerFetchLogicTests {
    let slices: TrainedSlices
    private var stages: [TrainingStage] { slices.stages }

    init() throws { slices = try TrainedSlices() }

    private func training(from stage: TrainingStage?) -> Job.Computation {
        .train(slices.specification, prompts: slices.prompts, from: stage)
    }

    /// Assigned, complete, and without stages of its own.
    private func waiting(adapter: String? = nil) throws -> (WorkerLogicDriver, [WorkerLogic.Action]) {
        var (driver, update) = try slices.assigned(adapter: adapter)
        let actions = driver.handle(slices.found(0, by: update))
        return (driver, actions)
    }

    private var wants: WorkerMessage {
        .wants(shard: 0, manifest: Toy.manifest(slices.prompts).digest, stages: slices.lacking().map(\.name))
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
        let take = try #require(driver.say(.stage(shard: 0, try last.handedOn())).commands.first)
        #expect(take.access == .take(try last.handedOn()))
        let begun = driver.handle(.storage(taken(last, by: take)))
        #expect(begun.jobs.map(\.computation) == [training(from: last)])
        let job = try #require(begun.jobs.first)
        #expect(begun.sent.isEmpty && job.answering == last)
        #expect(driver.handle(.answers(job.id)).sent.contains { if case .staged(1, _, _) = $0 { true } else { false } })
        // Others are kept, and change nothing.
        let first = try #require(driver.say(.stage(shard: 0, try stages[0].handedOn())).commands.first)
        #expect(driver.handle(.storage(taken(stages[0], by: first))).jobs.isEmpty)
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
    }

    @Test("Where nobody has any it begins at the start, but not before what has come is on the disk or is not")
    func none() throws {
        var (driver, _) = try waiting()
        let begun = driver.say(.noStage(shard: 0))
        #expect(begun.jobs.map(\.computation) == [training(from: nil)])

        (driver, _) = try waiting()
        let take = try #require(driver.say(.stage(shard: 0, try stages[0].handedOn())).commands.first)
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
        let failure = TaskFailure(code: .stageDiffers, message: "another one")
        #expect(driver.store(take, .failed(failure)).jobs.map(\.computation) == begun.jobs.map(\.computation))
    }

    @Test(
        "What its own disk does not take it waits for no longer: it begins with what it has", arguments: [true, false])
    func refused(isFull: Bool) throws {
        var (driver, _) = try waiting()
        let take = try #require(driver.say(.stage(shard: 0, try stages[1].handedOn())).commands.first)
        let failure = TaskFailure(code: isFull ? .diskFull : .storage, message: "no space")
        let begun = driver.store(take, .failed(failure))
        #expect(begun.jobs.map(\.computation) == [training(from: nil)])
        #expect(driver.say(.noStage(shard: 0)).isEmpty)
        // One that is not the one on record may come from somebody else.
        (driver, _) = try waiting()
        let other = try #require(driver.say(.stage(shard: 0, try stages[1].handedOn())).commands.first)
        let differs = TaskFailure(code: .stageDiffers, message: "another one")
        #expect(driver.store(other, .failed(differs)).jobs.isEmpty)
    }

    @Test("A lost connection ends the waiting, and a coordinator that assigns the same again is asked again")
    func lost() throws {
        var (driver, _) = try waiting()
        #expect(driver.say(.assign(slices.assignment(task: 2))).sent == [wants])
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
        let stage = try stages[0].handedOn()
        func asked(_ outcome: StorageResult.Outcome, _ name: String?) throws -> [WorkerMessage] {
            var driver = WorkerLogicDriver(copies: [ShardCopy(shard: 0, manifest: "old", prompts: 13, adapter: nil)])
            let task = CoordinatorMessage.HandTask(
                task: 7, shard: 0, specification: slices.specification, manifest: Toy.manifest(slices.prompts),
                keys: Toy.keys(slices.prompts), stage: name)
            let hand = try #require(driver.say(.hand(task)).commands.first)
            #expect(
                hand.access
                    == .hand(
                        Toy.manifest(slices.prompts), keys: Toy.keys(slices.prompts),
                        specification: slices.specification, stage: name))
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
            task: 4, specification: slices.specification, slice: 2, prompts: slices.prompts,
            before: try stages[0].handedOn())
        let job = try #require(driver.say(.replayStage(replay)).jobs.first)
        #expect(driver.state.heldTasks.map(\.content) == [nil])
        let whole = try slices.train(from: stages[0])
        driver.handle(.finished(job.id, .trained(whole.report, adapter: [1])))
        #expect(driver.state.heldTasks.map(\.content) == [nil])
    }
}
