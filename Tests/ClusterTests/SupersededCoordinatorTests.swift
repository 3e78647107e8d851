import Client
import ClusterTestSupport
import Coordination
import Foundation
import Ledger
import Messages
import Service
import Testing
import Worker
import ZeroMQ

@Suite("A coordinator that was superseded")
struct SupersededCoordinatorTests {
    /// Two lines of descent from one data directory: the first's starts, and a start of its copy.
    private func lines() throws -> (first: [Generation], copy: Generation) {
        let (fixture, other) = (LedgerFixture(), LedgerFixture())
        func start(_ fixture: LedgerFixture) throws -> Generation {
            let ledger = try fixture.open()
            defer { try? ledger.close() }
            return try ledger.raiseGeneration(at: fixture.now)
        }
        let before = try start(fixture)
        try FileManager.default.createDirectory(
            at: other.directory.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: fixture.directory, to: other.directory)
        return ([before, try start(fixture), try start(fixture)], try start(other))
    }

    private func coordinator(_ generation: Generation) -> CoordinatorFixture {
        CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1), generation: generation)
    }

    private func hello(_ known: [KnownGeneration]) -> WorkerMessage {
        .hello(
            WorkerMessage.Hello(
                worker: "w", name: "w", protocolVersion: CoordinatorLimits.protocolVersion, base: "base",
                precision: .f32, arithmetic: "x", threads: 1, copies: [], known: known))
    }

    private func superseded(_ fixture: CoordinatorFixture) -> [SupersededCoordinator] {
        fixture.actions.compactMap { action in
            guard case .superseded(let other) = action else { return nil }
            return other
        }
    }

    @Test(
        "A hello that knows a later or another line ends it; one that knows an ancestor, or another cluster, does not")
    func hellos() throws {
        let (first, copy) = try lines()
        for (own, known, ends) in [
            (first[1], first[2], true), (copy, first[1], true), (copy, first[2], true), (first[2], copy, true),
            (first[2], first[0], false), (first[2], first[2], false), (copy, first[0], false),
        ] {
            var fixture = coordinator(own)
            fixture.feed(
                .worker(peer: fixture.peer("w"), hello([KnownGeneration(cluster: "test", generation: known)])))
            #expect(superseded(fixture).map(\.known) == (ends ? [known] : []))
            #expect(fixture.refusals == (ends ? [.superseded] : []))
            #expect(fixture.status.workers.isEmpty == ends && fixture.assignments.isEmpty == ends)
        }
        var fixture = coordinator(first[0])
        fixture.feed(
            .worker(peer: fixture.peer("w"), hello([KnownGeneration(cluster: "other", generation: first[2])])))
        #expect(superseded(fixture).isEmpty && fixture.refusals.isEmpty)
    }

    @Test(
        "A worker does not obey a coordinator after which it has seen another, tells it, and follows the right one again"
    )
    func worker() throws {
        let (first, copy) = try lines()
        let context = try Context()
        let data = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: data) }
        func welcome(_ coordinator: ScriptedCoordinator, _ generation: Generation?) throws -> WorkerMessage.Hello {
            let hello = try coordinator.expect { if case .hello(let hello) = $0 { hello } else { nil } }
            try coordinator.say(
                .welcome(
                    CoordinatorMessage.Welcome(
                        cluster: "test", heartbeatSeconds: 1, liveness: 3, generation: generation)))
            return hello
        }
        func obeys(_ coordinator: ScriptedCoordinator) throws -> Bool {
            try coordinator.say(.embed(task: 1, source: .init(layer: 1, pooling: .mean), prompts: [Toy.prompt(1)]))
            return try coordinator.find(within: .milliseconds(700)) { message -> Bool? in
                if case .embedded = message { true } else { nil }
            } ?? false
        }
        for (generation, isFollowed, known) in [
            (first[1] as Generation?, true, nil as Generation?), (first[0], false, first[1]), (copy, false, first[1]),
            (nil, false, first[1]), (first[2], true, first[1]), (first[1], false, first[2]),
        ] {
            let coordinator = try ScriptedCoordinator(context: context)
            let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: data)
            let hello = try welcome(coordinator, generation)
            #expect(hello.known?.map(\.generation) == (known.map { [$0] } ?? []))
            #expect(try obeys(coordinator) == isFollowed)
            try worker.stop()
        }
    }

    @Test("Being told that the coordinator is superseded does not end a worker")
    func told() throws {
        let coordinator = try ScriptedCoordinator(context: Context())
        let data = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: data) }
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: data)
        _ = try coordinator.expect { if case .hello(let hello) = $0 { hello } else { nil } }
        try coordinator.say(.refused(code: .superseded, message: "another came"))
        _ = try coordinator.welcome()
        try worker.stop()
    }
}
