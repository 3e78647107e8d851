import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("The coordinator and its workers")
struct CoordinatorWorkerTests {
    @Test("A worker is lost within 4 s of its last message, and its training goes to another 10 s later")
    func lostWorker() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        #expect(fixture.assignments.map(\.worker) == ["a"])
        fixture.hello("b")
        fixture.wait(2750, beating: ["b"])
        #expect(fixture.assignments.isEmpty)
        fixture.wait(1000, beating: ["b"])
        #expect(fixture.status.workers.filter { $0.state == .live }.map(\.id) == ["b"])
        fixture.wait(10_000, beating: ["b"])
        #expect(fixture.assignments.map(\.worker) == ["b"])
        #expect(fixture.status.workers.filter { $0.state == .live }.map(\.id) == ["b"])
    }

    @Test("Both sides hear a heartbeat every second")
    func heartbeats() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        fixture.hello("a")
        fixture.wait(5000, beating: ["a"])
        #expect(fixture.messages(to: "a").count { $0 == .heartbeat } == 5)
        #expect(fixture.status.workers.first?.state == .live)
    }

    @Test("A worker that would give other bytes is refused, each reason with its code")
    func refusals() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", version: 99)
        #expect(fixture.refusals == [.protocolVersion])
        fixture.hello("a", base: "another")
        #expect(fixture.refusals == [.baseModel])
        fixture.hello("a", precision: .bf16)
        #expect(fixture.refusals == [.precision])
        fixture.hello("")
        #expect(fixture.refusals == [.invalidHello])
        fixture.hello("a", arithmetic: "x")
        #expect(fixture.refusals.isEmpty)
        fixture.hello("b", arithmetic: "y")
        #expect(fixture.refusals == [.arithmetic])
    }

    @Test("A worker whose release would train in another way is refused where the cluster trains so")
    func olderTrainings() {
        func refusals(slices: Int, averaging: WeightAveraging, knows: (Bool?, Bool?)) -> [ErrorCode] {
            var training = CoordinatorFixture.specification
            (training.slices, training.averaging) = (slices, averaging)
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1), training: training)
            fixture.hello("a", version: 10) { ($0.trainsSlices, $0.averages, $0.averagings) = (knows.0, knows.1, nil) }
            return fixture.refusals
        }
        #expect(refusals(slices: 1, averaging: .none, knows: (nil, nil)).isEmpty)
        #expect(refusals(slices: 2, averaging: .none, knows: (nil, nil)) == [.protocolVersion])
        #expect(refusals(slices: 2, averaging: .none, knows: (true, nil)).isEmpty)
        #expect(refusals(slices: 2, averaging: .steps, knows: (true, nil)) == [.protocolVersion])
        #expect(refusals(slices: 2, averaging: .steps, knows: (true, true)).isEmpty)
        #expect(refusals(slices: 2, averaging: .polynomial, knows: (true, true)) == [.protocolVersion])
    }

    @Test("The coordinator's own arithmetic, where known, is what the first worker is held to")
    func pinnedArithmetic() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1), arithmetic: "x")
        fixture.hello("a", arithmetic: "y")
        #expect(fixture.refusals == [.arithmetic])
    }

    @Test("A reconnection takes over at once, and its work is given out anew")
    func reconnection() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", peer: "first")
        let task = try #require(fixture.assignments.first?.task)
        fixture.hello("a", peer: "second")
        let again = try #require(fixture.assignments.first)
        #expect(again.worker == "second")
        #expect(again.task != task)
        // What the old connection still says has no effect.
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0", adapter: "a0"), by: "first")
        #expect(fixture.commands.isEmpty)
    }

    @Test("Two processes with one worker id do not take turns for ever")
    func duplicateWorker() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        var refused = false
        for round in 0..<8 {
            fixture.hello("a", peer: "peer-\(round)")
            refused = refused || fixture.refusals == [.duplicateWorker]
            for _ in 0..<3 { fixture.say(.heartbeat, by: "peer-\(round - 1)") }
        }
        #expect(refused)
    }

    @Test("Messages of strangers and answers to unknown tasks are dropped")
    func strangers() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.say(CoordinatorFixture.report(task: 1, shard: 0, manifest: "m0", adapter: "a0"), by: "nobody")
        #expect(fixture.commands.isEmpty)
        fixture.hello("a")
        fixture.say(CoordinatorFixture.report(task: 77, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        fixture.say(.scored(task: 78, tokens: 1, seconds: 1, margins: [1]), by: "a")
        fixture.say(.need(task: 79, digests: ["d"]), by: "a")
        fixture.feed(.garbage(peer: fixture.peer("a")))
        #expect(fixture.commands.isEmpty)
        #expect(fixture.assignments.isEmpty)
    }

    @Test("A live worker that falls silent about its task is given it again")
    func silentTask() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.wait(59_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        fixture.wait(2000, beating: ["a"])
        #expect(fixture.messages(to: "a").contains(.cancel(task: task)))
        let again = try #require(fixture.assignments.first)
        // Twice as long the second time: it may be that slow.
        fixture.wait(117_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        fixture.wait(4000, beating: ["a"])
        #expect(fixture.messages(to: "a").contains(.cancel(task: again.task)))
    }

    @Test("What a worker says of another task is no news of a training")
    func otherNews() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        var isCancelled = false
        for _ in 0..<31 {
            fixture.say(.released(shard: 7), by: "a")
            fixture.wait(2000, beating: ["a"])
            isCancelled = isCancelled || fixture.messages(to: "a").contains(.cancel(task: task))
        }
        #expect(isCancelled)
    }
}
