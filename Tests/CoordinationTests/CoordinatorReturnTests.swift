import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Workers that come back")
struct CoordinatorReturnTests {
    private func training(
        _ shard: Int, task: TaskID, share: Double = 0, manifest: String? = nil,
        specification: TrainingSpecification = CoordinatorFixture.specification
    ) -> HeldTask {
        HeldTask(
            task: task,
            content: .training(
                .init(shard: shard, manifest: manifest ?? "m\(shard)", specification: specification)),
            share: share)
    }

    private func welcome(_ fixture: CoordinatorFixture, _ name: String) -> [TaskID]? {
        fixture.messages(to: name).compactMap { if case .welcome(let welcome) = $0 { welcome.work } else { nil } }.first
    }

    @Test("Heard again on its connection, a worker goes on with its task, and nothing is given out anew")
    func heardAgain() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.hello("b")
        let task = try #require(fixture.coordinator.status(at: .init(milliseconds: 0)).workers.first?.tasks.first)
        #expect(task.kind == "train")
        fixture.wait(8000, beating: ["b"])
        #expect(fixture.assignments.isEmpty)
        fixture.say(.heartbeat, by: "a")
        fixture.say(CoordinatorFixture.report(task: 1, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        #expect(fixture.commands.count == 1)
    }

    @Test("The connection of a worker that was lost by silence is a worker's until it is gone or replaced")
    func keptConnection() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        for name in ["a", "b"] { fixture.hello(name) }
        fixture.wait(8000, beating: ["b"])
        #expect(!fixture.coordinator.isHere("a", at: fixture.peer("a")))
        #expect(fixture.coordinator.hasWorker(at: fixture.peer("a")))
        #expect(fixture.coordinator.worker(at: fixture.peer("a"))?.id == "a")
        #expect(fixture.coordinator.workerConnections == [fixture.peer("a"), fixture.peer("b")])
        #expect(fixture.coordinator.keptConnections == [fixture.peer("a")])
        var other = fixture
        other.hello("a", peer: "again")
        #expect(other.coordinator.workerConnections == [fixture.peer("again"), fixture.peer("b")])
        #expect(other.coordinator.keptConnections.isEmpty)
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        #expect(fixture.coordinator.workerConnections == [fixture.peer("b")])
        #expect(fixture.coordinator.keptConnections.isEmpty)
        #expect(!fixture.coordinator.hasWorker(at: fixture.peer("a")))
        fixture.say(.heartbeat, by: "a")
        #expect(fixture.status.workers.first?.state == .away)
    }

    @Test("A connection that its worker left for another one is known as such until somebody greets there")
    func leftConnection() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        #expect(!fixture.coordinator.isLeft(fixture.peer("a")) && !fixture.coordinator.isLeft(fixture.peer("b")))
        fixture.hello("a", peer: "again")
        #expect(fixture.coordinator.isLeft(fixture.peer("a")) && !fixture.coordinator.isLeft(fixture.peer("again")))
        fixture.hello("b", peer: "a")
        #expect(!fixture.coordinator.isLeft(fixture.peer("a")))
    }

    @Test("A connection on which a worker was lost is no longer its own once another one greets there")
    func inheritedConnection() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.wait(8000)
        fixture.hello("b", peer: "a")
        #expect(fixture.coordinator.worker(at: fixture.peer("a"))?.id == "b")
        fixture.wait(8000)
        #expect(fixture.status.workers.allSatisfy { $0.state == .away })
        fixture.say(.heartbeat, by: "a")
        #expect(fixture.coordinator.isHere("b", at: fixture.peer("a")))
        #expect(!fixture.coordinator.isHere("a", at: fixture.peer("a")))
    }

    @Test("Who was lost and declared gone is not taken back where it was lost: only a greeting says what it holds")
    func declaredGone() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: nil)])
        fixture.wait(8000)
        fixture.ask(.forgetCopy(.init(worker: "a", shard: nil)), id: "d")
        let command = try #require(
            fixture.commands.first { if case .forgetCopy = $0.command { true } else { false } })
        fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot)))
        #expect(!fixture.coordinator.hasWorker(at: fixture.peer("a")))
        fixture.say(.heartbeat, by: "a")
        #expect(fixture.status.workers.allSatisfy { $0.state == .away })
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: nil)])
        #expect(fixture.status.workers.map(\.state) == [.live])
        #expect(fixture.status.workers.first?.holds.isEmpty == false)
    }

    private func lines(_ fixture: CoordinatorFixture) -> [String] {
        fixture.actions.compactMap { if case .log(let line) = $0 { line.message } else { nil } }
    }

    @Test("Of a training that stops without a result there is a line, as of its beginning")
    func stoppedTraining() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        #expect(lines(fixture).contains("begins: training shard 0, task \(task), worker a"))
        // A process that does not know it any more.
        fixture.hello("a", peer: "again")
        #expect(lines(fixture).contains("put back: training shard 0, task \(task), worker a"))
        let next = try #require(fixture.assignments.first?.task)
        var changed = fixture.coordinator.snapshot
        changed.shards[0].manifest = "other"
        fixture.feed(.ledgerChanged(changed))
        #expect(lines(fixture).contains("called back: training shard 0, task \(next), worker a"))
    }

    @Test("Why a connection was cut off is why the worker is away")
    func cutOff() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        #expect(fixture.coordinator.title(at: fixture.peer("a")) == "a")
        fixture.feed(.unreachable(peer: fixture.peer("a"), because: "its key may not be this worker"))
        #expect(fixture.status.workers.first?.awayBecause == "its key may not be this worker")
        #expect(lines(fixture).contains("lost worker a: its key may not be this worker"))
    }

    @Test("A hello that names the task keeps it; one that does not gives it back at once")
    func helloWithWork() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.wait(5000)
        fixture.hello("a", peer: "again", work: [training(0, task: task)])
        #expect(welcome(fixture, "again") == [task])
        #expect(fixture.assignments.isEmpty)
        fixture.hello("a", peer: "third")
        #expect(fixture.assignments.map(\.worker) == ["third"])
    }

    @Test("After the reservation another worker gets the work, unless the first one is back and has done more")
    func reservation() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.hello("b")
        fixture.wait(12_500, beating: ["b"])
        #expect(fixture.assignments.isEmpty)
        fixture.wait(1000, beating: ["b"])
        let other = try #require(fixture.assignments.first)
        #expect(other.worker == "b")
        fixture.hello("a", peer: "again", work: [training(0, task: task, share: 0.8)])
        #expect(welcome(fixture, "again") == [task])
        #expect(fixture.messages(to: "b").contains(.cancel(task: other.task)))
    }

    @Test("Alone in the cluster, a worker keeps its work however long it is away")
    func alone() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.wait(200_000)
        fixture.hello("a", peer: "again", work: [HeldTask(task: task)])
        #expect(welcome(fixture, "again") == [task])
    }

    @Test("A coordinator that was started since knows a training by what it is a function of")
    func restarted() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2), firstTask: 1000)
        fixture.hello("a", work: [training(1, task: 77, share: 0.5)])
        #expect(welcome(fixture, "a") == [77])
        #expect(fixture.assignments.isEmpty)
        fixture.say(CoordinatorFixture.report(task: 77, shard: 1, manifest: "m1", adapter: "a1"), by: "a")
        #expect(fixture.commands.count == 1)
    }

    @Test("A training of other data or of another specification is not taken back")
    func otherData() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2), firstTask: 1000)
        let old = training(0, task: 7, manifest: "before a forget")
        var another = CoordinatorFixture.specification
        another.seed += 1
        fixture.hello("a", work: [old, training(1, task: 8, specification: another)])
        #expect(welcome(fixture, "a") == [])
        #expect(fixture.assignments.count == 1)
    }

    @Test("After a restart the first worker back gets what it holds, and the others' shards wait for them for 10 s")
    func others() {
        let copies = (0..<3).map { HandedCopy(worker: "w\($0)", name: "w\($0)", shard: $0, manifest: "m\($0)") }
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 3), copies: copies)
        fixture.hello("w1", copies: [ShardCopy(shard: 1, manifest: "m1", prompts: 10, adapter: nil)])
        #expect(fixture.assignments.map(\.shard) == [1])
        #expect(fixture.status.workers.first { $0.id == "w1" }?.shards == [1])
        fixture.wait(2000, beating: ["w1"])
        fixture.hello("w0", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: nil)])
        #expect(fixture.assignments.map(\.shard) == [0])
        fixture.wait(9000, beating: ["w0", "w1"])
        #expect(fixture.status.shards.allSatisfy { $0.owner != nil })
    }

    @Test("Time in which the coordinator stood still makes nobody lost")
    func standstill() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.wait(1000, beating: ["a"])
        fixture.sleep(60_000)
        fixture.feed(.tick)
        #expect(fixture.status.workers.first?.state == .live)
        fixture.wait(2500)
        #expect(fixture.status.workers.first?.state == .live)
        fixture.wait(1000)
        #expect(fixture.status.workers.first?.state == .away)
    }

    @Test("A worker that was silent for long lately is believed for longer")
    func patience() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.wait(2750)
        fixture.say(.heartbeat, by: "a")
        fixture.wait(6000)
        #expect(fixture.status.workers.first?.state == .live)
        fixture.wait(1000)
        #expect(fixture.status.workers.first?.state == .away)
    }

    @Test("Bytes of a message that is still on its way are life")
    func bytes() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        for _ in 0..<20 {
            fixture.wait(2000)
            fixture.feed(.alive(peer: fixture.peer("a")))
        }
        #expect(fixture.status.workers.first?.state == .live)
    }

    @Test("A result that has come is confirmed, wanted or not")
    func receipts() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.say(.scored(task: 99, tokens: 1, seconds: 1, margins: [1]), by: "a")
        #expect(fixture.messages(to: "a") == [.taken(task: 99)])
    }

    @Test("Adapters are sent to whoever lacks them, for the task that names them, and dropped when they answer no more")
    func adapters() throws {
        let snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true, missingMargins: 8)
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.feed(.missing(.margins(adapter: "a0"), .success(["v0", "v1"])))
        let task = try #require(
            fixture.actions.compactMap { action -> TaskID? in
                if case .dispatch(_, .score(let task, _, _, _, _)) = action { task } else { nil }
            }.first)
        fixture.say(.lacks(task: task, adapters: ["a0"]), by: "a")
        let sent = fixture.actions.compactMap { action -> Dispatch? in
            if case .dispatch(_, let dispatch) = action { dispatch } else { nil }
        }
        #expect(sent == [.adapters(task: task, [.published(name: "a0")])])
        var forgotten = snapshot
        forgotten.shards[0].manifest = "m0-"
        forgotten.shards[0].adapter = nil
        fixture.feed(.ledgerChanged(forgotten))
        #expect(fixture.messages(to: "a").contains(.drop(adapters: ["a0"])))
    }
}
