import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("The coordinator and its list of workers")
struct FleetTests {
    private func state(_ fixture: CoordinatorFixture) -> [String: StatusReport.Worker] {
        Dictionary(fixture.status.workers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("A worker without a name is called by its host and a number, the same again after it comes back")
    func numbered() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        for (id, process) in [("a", "node:1"), ("b", "node:2"), ("c", "other:1")] {
            fixture.hello(id) { ($0.label, $0.name) = (nil, process) }
        }
        #expect(fixture.status.workers.map(\.name) == ["node-1", "node-2", "other-1"])
        fixture.say(.goodbye(deleted: []), by: "a")
        fixture.hello("d") { ($0.label, $0.name) = (nil, "node:3") }
        fixture.hello("a", peer: "a2") { ($0.label, $0.name) = (nil, "node:99") }
        #expect(fixture.status.workers.map(\.name) == ["node-1", "node-2", "other-1", "node-3"])
        #expect(fixture.status.workers.first?.process == "node:99")
        // Keys are bound to what workers call themselves.
        #expect(fixture.coordinator.worker(at: fixture.peer("a2"))?.claim == "node:99")
        fixture.hello("e") { ($0.label, $0.name) = ("mine", "node:4") }
        #expect(fixture.coordinator.worker(at: fixture.peer("e"))?.claim == "mine")
    }

    @Test("A name that is too long, or moves the cursor, is refused", arguments: ["", "a b", "a\u{1B}[2J", "a\nb"])
    func badNames(_ name: String) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a") { $0.label = name }
        #expect(fixture.refusals == [.invalidHello])
        fixture.hello("a") { $0.label = String(repeating: "x", count: 65) }
        #expect(fixture.refusals == [.invalidHello])
        // A host's name is made fit.
        fixture.hello("a") {
            ($0.label, $0.name) = (nil, "no de\u{7}\u{202E}" + String(repeating: "ü", count: 300) + ":1")
        }
        let made = fixture.status.workers.first?.name ?? ""
        #expect(WorkerName.objection(to: made) == nil && made.hasPrefix("no_de__"), "\(made)")
    }

    @Test("A worker that is away stays listed, however long, with why and since when")
    func away() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false), expectedWorkers: 2)
        fixture.hello("a") { ($0.release, $0.address, $0.uptimeSeconds) = ("1.2.3", "10.0.0.7", 60) }
        #expect(state(fixture)["a"]?.uptimeSeconds == 60)
        fixture.say(.goodbye(deleted: []), by: "a")
        fixture.wait(600_000)
        let worker = try #require(state(fixture)["a"])
        #expect(worker.state == .away && worker.awaySeconds == 600 && worker.awayBecause == "it said goodbye")
        #expect(worker.release == "1.2.3" && worker.address == "10.0.0.7" && worker.uptimeSeconds == nil)
        #expect(fixture.status.expectedWorkers == 2)
        #expect(fixture.fleet["a"]?.absence == "it said goodbye")
        fixture.hello("a", peer: "a2")
        #expect(state(fixture)["a"]?.state == .live && state(fixture)["a"]?.awaySeconds == nil)
        #expect(fixture.fleet["a"]?.absence == nil)
    }

    @Test("An ephemeral worker that leaves nothing behind leaves the list; one that is lost does not")
    func ephemeral() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        for name in ["a", "b"] { fixture.hello(name) { $0.isEphemeral = true } }
        fixture.say(.goodbye(deleted: []), by: "a")
        fixture.wait(600_000)
        #expect(fixture.status.workers.map(\.name) == ["b"])
        #expect(fixture.fleet.keys.sorted() == ["b"])
    }

    @Test("The list outlives the coordinator, and says since when whoever does not come back is away")
    func restart() throws {
        let known = [
            RememberedWorker(
                record: WorkerRecord(worker: "a", name: "a", process: "h:1", absence: "it said goodbye"),
                awaySeconds: 100),
            RememberedWorker(record: WorkerRecord(worker: "b", name: "b", process: "h:2", duty: .pause)),
        ]
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, requested: false), workers: known)
        fixture.wait(20_000)
        let workers = state(fixture)
        #expect(workers["a"]?.awaySeconds == 120 && workers["a"]?.awayBecause == "it said goodbye")
        #expect(workers["b"]?.awaySeconds == 20 && workers["b"]?.duty == .pause)
        // For the next start.
        #expect(fixture.fleet.keys.sorted() == ["b"] && fixture.fleet["b"]?.absence != nil)
    }

    @Test("What changes while the ledger writes is written with the next write, all together")
    func coalesced() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        var writes: [(id: LedgerCommandID, records: [WorkerRecord])] = []
        func feed(_ event: CoordinatorEvent) {
            for action in fixture.coordinator.handle(event, at: CoordinatorInstant(milliseconds: 0)) {
                if case .ledger(let id, .noteWorkers(let records, _)) = action { writes.append((id, records)) }
            }
        }
        for name in ["a", "b", "c"] {
            var hello = WorkerMessage.Hello(
                worker: name, name: name, protocolVersion: CoordinatorLimits.protocolVersion, base: "base",
                precision: .f32, arithmetic: "x", threads: 1, copies: [])
            hello.label = name
            feed(.worker(peer: fixture.peer(name), .hello(hello)))
        }
        #expect(writes.map { $0.records.map(\.name) } == [["a"]])
        feed(.ledger(try #require(writes.first?.id), .committed(fixture.coordinator.snapshot)))
        #expect(writes.map { $0.records.map(\.name) } == [["a"], ["b", "c"]])
        feed(.ledger(try #require(writes.last?.id), .committed(fixture.coordinator.snapshot)))
        #expect(writes.count == 2)
    }
}
