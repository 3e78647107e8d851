import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("Placement by capacity")
struct CapacityPlacementTests {
    private func owned(_ fixture: CoordinatorFixture) -> [Int] { fixture.status.workers.map(\.shards.count) }

    private func report(_ task: TaskID, _ shard: Int, tokens: Int, seconds: Double) -> WorkerMessage {
        .trained(
            task: task,
            TrainingReport(
                adapter: "x\(shard)", manifest: "m\(shard)", prompts: 10,
                specification: CoordinatorFixture.specification, steps: 1, tokens: tokens, seconds: seconds,
                computeSeconds: seconds, epochLosses: [0.5]), adapter: [1])
    }

    @Test(
        "Shards are dealt in proportion to threads while nothing was measured",
        arguments: [
            ([4, 4, 4, 4], 8, [2, 2, 2, 2]), ([8, 4], 9, [6, 3]), ([16, 4], 10, [8, 2]), ([8, 7, 9], 6, [2, 2, 2]),
            ([0, 0], 4, [2, 2]),
        ])
    func threads(_ threads: [Int], _ shards: Int, _ expected: [Int]) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: shards, adapters: true))
        for (worker, threads) in threads.enumerated() { fixture.hello("w\(worker)", threads: threads) }
        #expect(owned(fixture) == expected)
    }

    @Test("Measured pace counts for more than threads, and shards that wait move to who is done sooner")
    func measured() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 6))
        fixture.hello("a", threads: 4)
        let first = try #require(fixture.assignments.first)
        fixture.hello("b", threads: 4)
        let second = try #require(fixture.assignments.first)
        #expect(owned(fixture) == [3, 3])
        fixture.say(report(first.task, first.shard, tokens: 8000, seconds: 10), by: "a")
        fixture.say(report(second.task, second.shard, tokens: 1000, seconds: 10), by: "b")
        #expect(fixture.status.workers.map(\.tokensPerSecond) == [800, 100])
        #expect(fixture.status.trainedTokens == 9000)
        #expect(owned(fixture)[0] > owned(fixture)[1], "\(owned(fixture))")
    }

    @Test("Two that are as fast as each other, within what runs differ by, share alike and nothing moves")
    func noise() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 4))
        fixture.hello("a")
        let first = try #require(fixture.assignments.first)
        fixture.hello("b")
        let second = try #require(fixture.assignments.first)
        let before = fixture.status.workers.map(\.shards)
        fixture.say(report(first.task, first.shard, tokens: 1000, seconds: 10), by: "a")
        fixture.say(report(second.task, second.shard, tokens: 870, seconds: 10), by: "b")
        #expect(fixture.status.workers.map(\.shards) == before)
    }

    @Test("Shards stay where their data is as long as balance does not ask for more")
    func dataStays() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 4, adapters: true))
        let copies = (0..<4).map { ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") }
        fixture.hello("a", copies: Array(copies[0...2]), threads: 16)
        fixture.hello("b", copies: Array(copies[3...]), threads: 4)
        fixture.wait(10_000, beating: ["a", "b"])
        #expect(fixture.status.workers.map(\.shards) == [[0, 1, 2], [3]] && fixture.assignments.isEmpty)
    }
}
