import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("A copy that is kept for its stages while beats are missed")
struct AwayHeirTests {
    /// "b" has shard 0, and "a" comes back with a copy of before, of which it kept what is of now: a stage that "b" lacks.
    private func met() throws -> CoordinatorFixture {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("b", copies: [.of(0, "m0")])
        fixture.wait(4000, beating: ["b"])
        fixture.hello("a", copies: [.of(0, "before", stages: ["s1", "s2"])])
        let trim = try #require(fixture.hands.first)
        #expect(trim.worker == "a" && !fixture.isReleased("a"))
        fixture.order(.pause, "a")
        fixture.say(.holds(.of(0, "what is left", stages: ["s1"])), by: "a")
        fixture.say(.failed(task: trim.task, code: .notHeld, message: "no such stage"), by: "a")
        #expect(!fixture.isReleased("a"))
        return fixture
    }

    @Test("An heir that is heard again in time gets the stages")
    func heardAgain() throws {
        var fixture = try met()
        fixture.wait(7000, beating: ["a"])
        #expect(!fixture.isReleased("a") && fixture.status.workers.filter { $0.state == .live }.map(\.id) == ["a"])
        fixture.say(.heartbeat, by: "b")
        #expect(!fixture.isReleased("a"))
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "b")
        let hand = try #require(fixture.hands.first)
        fixture.say(.handed(task: hand.task, .of("s1")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s1", ""] && !fixture.isReleased("a"))
        fixture.say(.holds(.of(0, "m0", stages: ["s1"])), by: "b")
        #expect(fixture.isReleased("a"))
    }

    @Test("One that is not heard again while its work is kept for it holds up nothing")
    func gone() throws {
        var fixture = try met()
        fixture.wait(9000, beating: ["a"])
        #expect(!fixture.isReleased("a"))
        fixture.wait(8000, beating: ["a"])
        #expect(fixture.isReleased("a"))
    }

    @Test("Time in which the copy's own worker misses beats, and is heard again where it was, does not count")
    func ownerOfTheCopy() throws {
        var fixture = try met()
        fixture.wait(200_000, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
        fixture.wait(500_000, beating: ["b"])
        fixture.say(.heartbeat, by: "a")
        #expect(!fixture.isReleased("a"))
        fixture.wait(75_000, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
        fixture.wait(50_000, beating: ["a", "b"])
        #expect(fixture.isReleased("a"))
    }
}
