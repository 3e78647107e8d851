import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("A worker that needs long to hand a stage on")
struct LateStageTests {
    /// "b" has the trained shard 0 and wants its stages; those who are drained have them.
    private func wanted(of holders: [String], stages: [String: [String]] = [:]) throws -> CoordinatorFixture {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("b", copies: [.of(0, "m0")])
        fixture.wait(4000, beating: ["b"])
        for holder in holders {
            fixture.hello(holder, copies: [.of(0, "m0", stages: stages[holder] ?? ["s1", "s2"])])
            fixture.order(.drain, holder)
        }
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s3", "s2", "s1"]), by: "b")
        return fixture
    }

    @Test("Where nobody else has it, what comes late is taken, and the next one is asked for")
    func alone() throws {
        var fixture = try wanted(of: ["a"])
        let hand = try #require(fixture.hands.first)
        #expect(hand.name == "s2")
        fixture.wait(100_000, beating: ["a", "b"])
        #expect(fixture.hands.isEmpty && fixture.stagesSent(to: "b").isEmpty && !fixture.isReleased("a"))
        fixture.say(.handed(task: hand.task, .of("s2")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s2"])
        fixture.say(.holds(.of(0, "m0", stages: ["s2"])), by: "b")
        let next = try #require(fixture.hands.first)
        #expect(next.worker == "a" && next.name == "s1")
        fixture.say(.handed(task: next.task, .of("s1")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s1", ""] && !fixture.isReleased("a"))
        fixture.say(.holds(.of(0, "m0", stages: ["s1", "s2"])), by: "b")
        #expect(fixture.isReleased("a"))
    }

    @Test("One that says late that it cannot is asked for what else it has")
    func refused() throws {
        var fixture = try wanted(of: ["a"])
        let hand = try #require(fixture.hands.first)
        fixture.wait(40_000, beating: ["a", "b"])
        fixture.say(.failed(task: hand.task, code: .storage, message: "the disk hung"), by: "a")
        #expect(fixture.hands.map(\.name) == ["s1"])
        fixture.wait(250, beating: ["a", "b"])
        #expect(fixture.hands.isEmpty && fixture.stagesSent(to: "b").isEmpty)
    }

    @Test("Another one is asked meanwhile, and whichever comes first is taken, once", arguments: [true, false])
    func others(isFirstLater: Bool) throws {
        var fixture = try wanted(of: ["a", "c"])
        let first = try #require(fixture.hands.first)
        fixture.wait(31_000, beating: ["a", "b", "c"])
        let second = try #require(fixture.hands.first)
        #expect(first.name == "s2" && second.name == "s2" && Set([first.worker, second.worker]) == ["a", "c"])
        let hands = isFirstLater ? [second, first] : [first, second]
        fixture.say(.handed(task: hands[0].task, .of("s2")), by: hands[0].worker)
        #expect(fixture.stagesSent(to: "b") == ["s2"])
        fixture.say(.handed(task: hands[1].task, .of("s2")), by: hands[1].worker)
        #expect(fixture.stagesSent(to: "b").isEmpty)
    }

    @Test("What somebody else was asked for meanwhile is taken as well, and asked for once")
    func another() throws {
        var fixture = try wanted(of: ["a", "c"], stages: ["a": ["s2"], "c": ["s1"]])
        let first = try #require(fixture.hands.first)
        fixture.wait(31_000, beating: ["a", "b", "c"])
        let second = try #require(fixture.hands.first)
        #expect(first.worker == "a" && second.worker == "c" && second.name == "s1")
        fixture.say(.handed(task: first.task, .of("s2")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s2"])
        fixture.say(.holds(.of(0, "m0", stages: ["s2"])), by: "b")
        #expect(fixture.hands.isEmpty)
        fixture.say(.handed(task: second.task, .of("s1")), by: "c")
        #expect(fixture.stagesSent(to: "b").first == "s1")
    }
}
