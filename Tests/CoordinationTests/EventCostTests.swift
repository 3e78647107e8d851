import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("What an event costs follows the change, not the cluster")
struct EventCostTests {
    /// Microseconds, medians.
    struct Costs {
        var heartbeat = 0.0
        var progress = 0.0
        var tick = 0.0
        var ask = 0.0
        var result = 0.0
        var published = 0.0
        var finished = 0.0
        var forget = 0.0
        var greeting = 0.0

        var largest: Double {
            [heartbeat, progress, tick, ask, result, published, finished, forget, greeting].max() ?? 0
        }
    }

    @Test("An event of a large cluster costs about what it does in a small one, of whatever kind")
    func flat() throws {
        let isFull = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil
        let (shards, workers, requests) = isFull ? (1000, 200, 10_000) : (200, 40, 2000)
        var small = CostlyCluster(shards: 10, workers: 4, requests: 100)
        var large = CostlyCluster(shards: shards, workers: workers, requests: requests)
        let (few, many) = (small.costs(), large.costs())
        print("microseconds, medians: 10 shards, 4 workers, 100 requests: \(few)")
        print("microseconds, medians: \(shards) shards, \(workers) workers, \(requests) requests: \(many)")
        #expect(many.largest < max(300, 20 * few.largest))
    }
}

/// A cluster in which each worker trains, every shard lost its adapter, and as many requests wait for each.
private struct CostlyCluster {
    private var fixture: CoordinatorFixture
    private var tasks: [(worker: String, task: TaskID, shard: Int, manifest: String)] = []
    private let shards: Int
    private let workers: Int
    private var forgets = 0

    init(shards: Int, workers: Int, requests: Int) {
        (self.shards, self.workers) = (shards, workers)
        var snapshot = CoordinatorFixture.snapshot(shards: shards)
        for index in snapshot.shards.indices {
            snapshot.shards[index].quarantinedSince = Date(timeIntervalSince1970: 1)
        }
        for request in 0..<requests {
            snapshot.pendingForgets.append(
                LedgerSnapshot.PendingForget(
                    id: "request-\(request)", received: Date(timeIntervalSince1970: 1), waitingFor: [request % shards]))
        }
        fixture = CoordinatorFixture(snapshot)
        for worker in 0..<workers {
            fixture.hello("worker-\(worker)")
            note()
        }
        for _ in 0..<4 { fixture.feed(.tick) }
    }

    private mutating func note() {
        tasks += fixture.assignments.map { ($0.worker, $0.task, $0.shard, $0.manifest) }
    }

    private mutating func median(_ times: Int, _ body: (inout CostlyCluster, Int) -> Duration) -> Double {
        let spans = (0..<times).map { body(&self, $0) / .microseconds(1) }
        return spans.sorted()[times / 2]
    }

    private mutating func feed(_ event: CoordinatorEvent) -> Duration {
        ContinuousClock().measure { fixture.feed(event) }
    }

    private func message(_ message: WorkerMessage, by worker: String) -> CoordinatorEvent {
        .worker(peer: fixture.peer(worker), message)
    }

    mutating func costs() -> EventCostTests.Costs {
        var costs = EventCostTests.Costs()
        let workers = workers
        costs.heartbeat = median(200) { $0.feed($0.message(.heartbeat, by: "worker-\($1 % workers)")) }
        costs.progress = median(200) { cluster, number in
            let task = cluster.tasks[number % cluster.tasks.count]
            return cluster.feed(
                cluster.message(
                    .progress(
                        .init(task: task.task, step: 1, steps: 9, loss: 1, tokensPerSecond: 1, secondsRemaining: 1)),
                    by: task.worker))
        }
        costs.tick = median(20) { cluster, _ in cluster.feed(.tick) }
        costs.ask = median(50) { cluster, number in
            cluster.feed(
                .client(
                    ClientTicket(peer: PeerID([1]), request: "ask-\(number)"),
                    .operation(id: "request-\(number)")))
        }
        costs.forget = median(20) { cluster, _ in cluster.forget() }
        costs.greeting = median(min(20, workers)) { cluster, number in
            let worker = "worker-\(number)"
            let copies = (0..<cluster.shards).filter { $0 % workers == number }.prefix(5).map {
                ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: nil)
            }
            let held = cluster.tasks.filter { $0.worker == worker }.map { HeldTask(task: $0.task) }
            let hello = WorkerMessage.Hello(
                worker: worker, name: worker, protocolVersion: CoordinatorLimits.protocolVersion, base: "base",
                precision: .f32, arithmetic: "x", threads: 1, copies: copies, work: held)
            return cluster.feed(cluster.message(.hello(hello), by: worker))
        }
        var (published, finished): ([Double], [Double]) = ([], [])
        costs.result = median(min(30, workers / 2)) { cluster, number in
            let (span, commits) = cluster.result()
            published.append(commits.0 / .microseconds(1))
            finished.append(commits.1 / .microseconds(1))
            return span
        }
        costs.published = published.sorted()[published.count / 2]
        costs.finished = finished.sorted()[finished.count / 2]
        return costs
    }

    /// A request is committed that takes another prompt from the shard.
    private mutating func forget() -> Duration {
        forgets += 1
        let (id, shard) = ("forget-\(forgets)", forgets % shards)
        fixture.ask(.forget(ClientRequest.ForgetRequest(users: ["\(forgets)"], interactions: [])), id: id)
        guard let (command, _) = fixture.commands.first else { return .zero }
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[shard].manifest = "n\(forgets)"
        snapshot.pendingForgets.append(
            LedgerSnapshot.PendingForget(id: id, received: Date(timeIntervalSince1970: 2), waitingFor: [shard]))
        let outcome = ForgetOutcome(
            request: id, received: Date(timeIntervalSince1970: 2), counts: ForgetCounts(), shards: [shard],
            waitingFor: [shard], droppedAdapters: [], alreadyForgotten: 0)
        return measureTaking(.ledger(command, .forgotten(outcome, snapshot)))
    }

    private mutating func measureTaking(_ event: CoordinatorEvent) -> Duration {
        let span = feed(event)
        tasks.removeAll { task in
            fixture.actions.contains { if case .send(_, .cancel(task.task)) = $0 { true } else { false } }
        }
        note()
        return span
    }

    /// The result of a training, its commit, and the ends of those requests that waited for nothing else.
    private mutating func result() -> (Duration, (Duration, Duration)) {
        guard let position = tasks.firstIndex(where: { $0.manifest.hasPrefix("m") }) else {
            return (.zero, (.zero, .zero))
        }
        let task = tasks.remove(at: position)
        let name = "adapter-\(task.shard)-\(task.manifest)"
        let result = measureTaking(
            message(
                CoordinatorFixture.report(
                    task: task.task, shard: task.shard, manifest: task.manifest, adapter: name), by: task.worker))
        guard
            let (command, _) = fixture.commands.first(where: { if case .publish = $0.command { true } else { false } })
        else { return (result, (.zero, .zero)) }
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[task.shard].adapter = LedgerSnapshot.Adapter(
            name: name, manifest: task.manifest, missingMargins: 0, trainer: task.worker)
        snapshot.shards[task.shard].quarantinedSince = nil
        for index in snapshot.pendingForgets.indices where snapshot.pendingForgets[index].waitingFor == [task.shard] {
            snapshot.pendingForgets[index].waitingFor = []
        }
        let published = measureTaking(.ledger(command, .committed(snapshot)))
        let finishing = fixture.coordinator.snapshot.pendingForgets.first { $0.waitingFor.isEmpty }
        var finished = Duration.zero
        if let (command, end) = fixture.commands.first(where: {
            if case .finishForget = $0.command { true } else { false }
        }),
            case .finishForget(let request, _) = end
        {
            snapshot.pendingForgets.removeAll { $0.id == request }
            finished = measureTaking(.ledger(command, .finished(snapshot)))
        } else if finishing != nil {
            finished = measureTaking(.tick)
        }
        return (result, (published, finished))
    }
}
