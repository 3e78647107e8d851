import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Whose id it is")
struct CoordinatorIdentityTests {
    private func hello(_ id: String, _ secret: String, name: String = "n") -> WorkerMessage {
        .hello(
            WorkerMessage.Hello(
                worker: id, secret: secret, name: name, protocolVersion: CoordinatorLimits.protocolVersion,
                base: "base",
                precision: .f32, arithmetic: "x", threads: 1, copies: []))
    }

    @Test(
        "Nobody takes a worker's place with its id alone, and the worker itself comes back", arguments: [true, false])
    func takeover(_ isMade: Bool) {
        let secret = WorkerIdentity.makeSecret()
        let id = isMade ? WorkerIdentity.id(secret: secret) : "5B2C4E0F-8C0B-4A0C-9F58-5F1B1F0E7A11"
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.feed(.worker(peer: fixture.peer("honest"), hello(id, secret)))
        #expect(fixture.refusals.isEmpty && fixture.assignments.count == 1)
        for wrong in ["", "x", WorkerIdentity.makeSecret()] {
            fixture.feed(.worker(peer: fixture.peer("thief"), hello(id, wrong)))
            #expect(fixture.refusals == [.foreignID] && fixture.assignments.isEmpty)
        }
        fixture.feed(.worker(peer: fixture.peer("honest again"), hello(id, secret)))
        #expect(fixture.refusals.isEmpty && fixture.status.workers.map(\.id) == [id])
    }

    @Test("An id that was made from a secret is its own also before the worker was ever here, as after a restart")
    func first() {
        let secret = WorkerIdentity.makeSecret()
        let id = WorkerIdentity.id(secret: secret)
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        for (id, wrong) in [(id, "x"), (id.lowercased(), secret)] {
            fixture.feed(.worker(peer: fixture.peer("thief"), hello(id, wrong)))
            #expect(fixture.refusals == [.foreignID])
        }
    }

    @Test("Names and ids are shown to people: control characters are taken out of the one, and the other is refused")
    func names() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.feed(.worker(peer: fixture.peer("a"), hello("a", "", name: "host\u{1B}[2J\nforged")))
        #expect(fixture.status.workers.map(\.process) == ["host\u{FFFD}[2J\u{FFFD}forged"])
        #expect(fixture.status.workers.map(\.name) == ["host_[2J_forged-1"])
        fixture.feed(.worker(peer: fixture.peer("b"), hello("b\u{1B}[2J", "")))
        #expect(fixture.refusals == [.invalidHello])
    }
}
