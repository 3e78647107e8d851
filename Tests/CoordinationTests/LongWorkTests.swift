import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Work that takes longer than connections last")
struct LongWorkTests {
    /// Trainings of minutes, one forget, one verification and one comparison.
    private func plan(seed: UInt64) -> SimulationPlan {
        var plan = SimulationPlan(seed: seed)
        plan.workers = 1 + Int(seed % 3)
        plan.shards = 3
        plan.partitionNeedsEmbeddings = false
        plan.chaosMilliseconds = 900_000
        (plan.lossy, plan.crashes, plan.forgets, plan.reads) = (0, 0, 1, 2)
        (plan.prepares, plan.hasFalseWorker) = (false, false)
        plan.trainingMilliseconds = 60_000...90_000
        return plan
    }

    private func run(_ plan: SimulationPlan) -> Simulation {
        var simulation = Simulation(plan)
        simulation.run(patienceMilliseconds: 3_000_000)
        #expect(simulation.violations.isEmpty, "\(simulation.violations.joined(separator: "; "))")
        return simulation
    }

    @Test("Workers that are lost for seconds, again and again, begin nothing anew", arguments: 0..<6)
    func shortLosses(seed: UInt64) {
        let undisturbed = run(plan(seed: seed)).longJobs
        var plan = plan(seed: seed)
        plan.shortLosses = (every: 20_000, lasting: 5000)
        let simulation = run(plan)
        #expect(simulation.losses > 20)
        #expect(simulation.longJobs <= undisturbed + 3, "\(simulation.longJobs) instead of \(undisturbed)")
    }

    @Test("A coordinator that stands still for longer than its patience takes nobody for lost", arguments: 0..<6)
    func pauses(seed: UInt64) {
        var plan = plan(seed: seed)
        plan.pauses = (every: 30_000, lasting: 8000)
        let simulation = run(plan)
        #expect(simulation.losses == 0)
    }

    // MARK: without an end

    /// One worker, and the training of ten prompts that it was given.
    private func training(epochs: Int = 100) throws -> (CoordinatorFixture, TaskID) {
        var specification = CoordinatorFixture.specification
        specification.epochs = epochs
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1), training: specification)
        fixture.hello("a")
        return (fixture, try #require(fixture.assignments.first?.task))
    }

    private func step(_ step: Int, of steps: Int = 999, _ task: TaskID) -> WorkerMessage {
        .progress(.init(task: task, step: step, steps: steps, loss: 0, tokensPerSecond: 1, secondsRemaining: 1))
    }

    /// The worker says something every 20 seconds.
    ///
    /// - Returns: the rounds until its task is taken away; nil: it is not.
    private func rounds(
        of rounds: Int, _ fixture: inout CoordinatorFixture, _ task: TaskID, _ message: (Int) -> WorkerMessage
    ) -> Int? {
        for round in 1...rounds {
            fixture.say(message(round), by: "a")
            fixture.wait(20_000, beating: ["a"])
            if fixture.messages(to: "a").contains(.cancel(task: task)) { return round }
        }
        return nil
    }

    @Test("Who says the same step again, or needs the same again, has as long as who says nothing")
    func repeated() throws {
        var (fixture, task) = try training()
        #expect(rounds(of: 60, &fixture, task) { step($0, task) } == nil)
        (fixture, task) = try training()
        #expect(rounds(of: 60, &fixture, task) { _ in step(1, task) } == 3)
        (fixture, task) = try training()
        #expect(rounds(of: 60, &fixture, task) { _ in .need(task: task, digests: ["d", "e"]) } == 3)
        // A training that begins anew goes on; one that does so for ever does not.
        (fixture, task) = try training()
        let anew = rounds(of: 60, &fixture, task) { step($0 % 2, task) }
        #expect(try #require(anew) > 2 * CoordinatorLimits.beginnings)
    }

    @Test("Steps are news for as many as the data has, and as the worker said at first")
    func counted() throws {
        // Two whole batches and one that is not, twice.
        var (fixture, task) = try training(epochs: 2)
        #expect(rounds(of: 60, &fixture, task) { step($0, task) } == 6 + 2)
        (fixture, task) = try training()
        #expect(rounds(of: 60, &fixture, task) { step($0, of: 5, task) } == 5 + 2)
        // Each new number of steps is as if it had begun anew.
        (fixture, task) = try training()
        let growing = rounds(of: 60, &fixture, task) { step($0, of: $0, task) }
        #expect(growing == 1 + CoordinatorLimits.beginnings + 2)
    }

    @Test("Who is slow keeps its training for as many steps as it has, though others were many times as fast")
    func slow() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2))
        fixture.hello("a")
        let slow = try #require(fixture.assignments.first)
        fixture.hello("b")
        let fast = try #require(fixture.assignments.first)
        #expect(slow.worker == "a" && fast.worker == "b")
        // Two messages that lie close to each other.
        fixture.say(step(1, fast.task), by: "b")
        fixture.wait(250, beating: ["a", "b"])
        fixture.say(step(100, fast.task), by: "b")
        fixture.say(
            CoordinatorFixture.report(task: fast.task, shard: fast.shard, manifest: fast.manifest, adapter: "x"),
            by: "b")
        // 100 times two whole batches and one that is not.
        for round in 1...300 {
            fixture.say(step(round, slow.task), by: "a")
            fixture.wait(20_000, beating: ["a", "b"])
            guard fixture.messages(to: "a").contains(.cancel(task: slow.task)) else { continue }
            Issue.record("taken away after \(round) steps")
            return
        }
        for _ in 0..<3 {
            fixture.say(step(301, slow.task), by: "a")
            fixture.wait(20_000, beating: ["a", "b"])
            if fixture.messages(to: "a").contains(.cancel(task: slow.task)) { return }
        }
        Issue.record("kept without an end")
    }

    @Test("Bytes of a message without an end keep a training for a quarter of an hour")
    func endless() throws {
        var (fixture, task) = try training()
        func isTaken(in rounds: Int) -> Bool {
            (0..<rounds).contains { _ in
                fixture.feed(.alive(peer: fixture.peer("a")))
                fixture.wait(20_000, beating: ["a"])
                return fixture.messages(to: "a").contains(.cancel(task: task))
            }
        }
        #expect(!isTaken(in: 45))
        #expect(isTaken(in: 4))
    }

    @Test("A drained worker that repeats itself is rid of its training, and told to delete the data")
    func drained() throws {
        var (fixture, task) = try training()
        fixture.order(.drain, "a")
        #expect(!fixture.isReleased("a"))
        #expect(rounds(of: 60, &fixture, task) { _ in step(1, task) } == 3)
        #expect(fixture.isReleased("a") && fixture.assignments.isEmpty)
    }

    @Test("A training that was taken away from a worker is not its own again because it says so")
    func thief() throws {
        var (fixture, task) = try training()
        fixture.hello("b")
        fixture.wait(61_000, beating: ["a", "b"])
        #expect(fixture.assignments.map(\.worker) == ["b"])
        let held = HeldTask(
            task: task,
            content: .training(
                HeldTask.Training(shard: 0, manifest: "m0", specification: CoordinatorFixture.specification)),
            share: 1)
        fixture.hello("a", peer: "a2", work: [held])
        let goesOn = fixture.messages(to: "a2").compactMap {
            if case .welcome(let welcome) = $0 { welcome.work } else { nil }
        }
        #expect(goesOn == [[]] && fixture.messages(to: "b").isEmpty)
    }
}
