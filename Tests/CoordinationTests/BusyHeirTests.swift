import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("A drained worker's copy is kept for its stages as long as its heir gets on, and no longer than is said")
struct BusyHeirTests {
    private let everybody = ["a", "b"]

    /// "a" is drained and has the stages of shard 0, which is to be trained by "b"; that one trains shard 1 first.
    private func busy() throws -> (CoordinatorFixture, TaskID) {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello("b", copies: [.of(1, "m1")])
        fixture.hello("a", copies: [.of(0, "m0", stages: ["s1"])])
        fixture.wait(4000, beating: everybody)
        fixture.order(.pause, "a")
        var snapshot = fixture.coordinator.snapshot
        (snapshot.shards[1].manifest, snapshot.shards[1].adapter) = ("m1-after", nil)
        fixture.feed(.ledgerChanged(snapshot))
        let training = try #require(fixture.assignments.first)
        #expect(training.worker == "b" && training.shard == 1 && training.trains)
        snapshot.shards[0].adapter = nil
        fixture.feed(.ledgerChanged(snapshot))
        #expect(fixture.assignments.isEmpty)
        fixture.order(.drain, "a")
        #expect(!fixture.isReleased("a"))
        return (fixture, training.task)
    }

    @Test("While the heir goes on with another training it stays, and is handed on when its turn comes")
    func handedOn() throws {
        var (fixture, task) = try busy()
        let released = fixture.goOn(48, with: task, by: "b", beating: everybody)
        #expect(released.isEmpty)
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(1, "n1", by: "b")))
        var given = fixture.assignments
        fixture.wait(2000, beating: everybody)
        given += fixture.assignments
        let training = try #require(given.first { $0.shard == 0 })
        #expect(training.worker == "b" && training.trains && !fixture.isReleased("a"))
        fixture.say(.holds(.of(0, "m0")), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "b")
        let hand = try #require(fixture.hands.first)
        #expect(hand.worker == "a" && hand.name == "s1")
        fixture.say(.handed(task: hand.task, .of("s1")), by: "a")
        fixture.say(.holds(.of(0, "m0", stages: ["s1"])), by: "b")
        #expect(fixture.isReleased("a"))
    }

    @Test("An hour is the end of it")
    func bound() throws {
        var (fixture, task) = try busy()
        let before = fixture.goOn(140, with: task, by: "b", beating: everybody)
        let after = fixture.goOn(6, from: 141, with: task, by: "b", beating: everybody)
        #expect(before.isEmpty && after == ["a"])
    }

    @Test("An heir that trains nothing else and does not ask has as long as ever")
    func silent() throws {
        var (fixture, task) = try busy()
        let released = fixture.goOn(24, with: task, by: "b", beating: everybody)
        #expect(released.isEmpty)
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(1, "n1", by: "b")))
        // Shard 0 is its next training, of which it says nothing.
        fixture.wait(250_000, beating: everybody)
        #expect(!fixture.isReleased("a"))
        fixture.wait(60_000, beating: everybody)
        #expect(fixture.isReleased("a"))
    }

    /// "a" is drained and has the stages of shard 0, which is trained; "b" does not answer when it is given the data.
    private func unanswered() -> CoordinatorFixture {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        connect(&fixture)
        fixture.wait(4000, beating: ["a"])
        fixture.hello("b")
        fixture.order(.drain, "a")
        #expect(!fixture.isReleased("a"))
        return fixture
    }

    private func connect(_ fixture: inout CoordinatorFixture) {
        fixture.hello("a", copies: [.of(0, "m0", stages: ["s1"])])
    }

    @Test("A worker that connects again and again does not begin the time anew")
    func reconnecting() {
        var fixture = unanswered()
        var releasedAfter: Int?
        for round in 1...16 where releasedAfter == nil {
            fixture.wait(25_000, beating: everybody)
            if fixture.isReleased("a") { releasedAfter = round }
            connect(&fixture)
            if fixture.isReleased("a") { releasedAfter = releasedAfter ?? round }
        }
        #expect(releasedAfter == 12)
    }

    @Test("One that was away goes on where it was; one that works again and is drained later begins anew")
    func away() {
        var fixture = unanswered()
        fixture.wait(200_000, beating: everybody)
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        fixture.wait(600_000, beating: ["b"])
        connect(&fixture)
        fixture.wait(75_000, beating: everybody)
        #expect(!fixture.isReleased("a"))
        fixture.wait(50_000, beating: everybody)
        #expect(fixture.isReleased("a"))

        fixture = unanswered()
        fixture.wait(200_000, beating: everybody)
        fixture.order(.resume, "a")
        fixture.wait(200_000, beating: everybody)
        fixture.order(.drain, "a")
        #expect(!fixture.isReleased("a"))
        fixture.wait(200_000, beating: everybody)
        #expect(!fixture.isReleased("a"))
    }
}
