import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Data that was brought up to date before there is an adapter of it")
struct BroughtCopyTests {
    @Test("It is given again once there is one: then whoever has it says which stages it lacks")
    func givenAgain() throws {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello("b", copies: [.of(0, "m0"), .of(1, "m1")])
        fixture.hello("a")
        fixture.order(.pause, "a")
        fixture.wait(4000, beating: ["a", "b"])
        // While it trains shard 1, somebody is forgotten from shard 0: what it holds of that goes at once.
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.forgotten(from: 1, by: "f")))
        let training = try #require(fixture.assignments.first { $0.trains })
        #expect(training.worker == "b" && training.shard == 1)
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.forgotten(from: 0, by: "g")))
        let brought = try #require(fixture.assignments.first)
        #expect(brought.worker == "b" && brought.shard == 0 && !brought.trains)
        fixture.say(.holds(.of(0, "m0-after")), by: "b")
        // Another worker comes that has trained it, with the stages.
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(0, "n0", by: "a")))
        fixture.hello("a", copies: [.of(0, "m0-after", stages: ["s1"])])
        #expect(!fixture.isReleased("a"))
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(1, "n1", by: "b")))
        fixture.wait(5000, beating: ["a", "b"])
        let given = fixture.assignments.filter { $0.shard == 0 }
        #expect(given.map(\.worker) == ["b"] && given.allSatisfy { !$0.trains })
        fixture.say(.holds(.of(0, "m0-after")), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0-after", stages: ["s1"]), by: "b")
        #expect(fixture.hands.map(\.worker) == ["a"] && fixture.hands.map(\.name) == ["s1"])
    }
}
