import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Clusters of thousands of workers")
struct ManyWorkersTests {
    @Test("4,096 workers are taken, one more is not, and heartbeats of all of them cost little")
    func limit() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 0, requested: false))
        let names = (0..<4096).map { "worker-\($0)" }
        // Together: what follows from all of them is thought about once.
        let hellos = names.map { name in
            CoordinatorEvent.worker(
                peer: fixture.peer(name),
                .hello(
                    WorkerMessage.Hello(
                        worker: name, name: name, protocolVersion: CoordinatorLimits.protocolVersion, base: "base",
                        precision: .f32, arithmetic: "x", threads: 1, copies: [])))
        }
        _ = fixture.coordinator.handle(hellos, at: .init(milliseconds: 0))
        #expect(fixture.status.workers.count == 4096)
        fixture.hello("one more")
        #expect(fixture.refusals == [.full])
        let clock = ContinuousClock()
        let time = clock.measure { for name in names { fixture.say(.heartbeat, by: name) } }
        #expect(time < .seconds(2))
        #expect(fixture.status.workers.allSatisfy { $0.state == .live })
    }
}
