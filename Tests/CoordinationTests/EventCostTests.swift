import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("What an event costs follows the change, not the cluster")
struct EventCostTests {
    /// Each worker trains; every shard lost its adapter, and ten requests wait for each.
    private func cluster(
        shards: Int, workers: Int
    ) -> (fixture: CoordinatorFixture, tasks: [(worker: String, task: TaskID)]) {
        var snapshot = CoordinatorFixture.snapshot(shards: shards)
        for index in snapshot.shards.indices {
            snapshot.shards[index].quarantinedSince = Date(timeIntervalSince1970: 1)
        }
        snapshot.pendingForgets = (0..<(10 * shards)).map {
            LedgerSnapshot.PendingForget(
                id: "request-\($0)", received: Date(timeIntervalSince1970: 1), waitingFor: [$0 % shards])
        }
        var fixture = CoordinatorFixture(snapshot)
        var tasks: [(worker: String, task: TaskID)] = []
        for worker in 0..<workers {
            fixture.hello("worker-\(worker)")
            tasks += fixture.assignments.map { ($0.worker, $0.task) }
        }
        return (fixture, tasks)
    }

    private func microseconds(_ times: Int, _ body: (Int) -> Void) -> Double {
        let clock = ContinuousClock()
        let spans = (0..<times).map { number in clock.measure { body(number) } / .microseconds(1) }
        return spans.sorted()[times / 2]
    }

    private func costs(shards: Int, workers: Int) -> (heartbeat: Double, progress: Double, tick: Double) {
        var (fixture, tasks) = cluster(shards: shards, workers: workers)
        let heartbeat = microseconds(200) { fixture.say(.heartbeat, by: "worker-\($0 % workers)") }
        let progress = microseconds(200) { number in
            guard !tasks.isEmpty else { return }
            let (worker, task) = tasks[number % tasks.count]
            fixture.say(
                .progress(.init(task: task, step: 1, steps: 9, loss: 1, tokensPerSecond: 1, secondsRemaining: 1)),
                by: worker)
        }
        let tick = microseconds(10) { _ in fixture.feed(.tick) }
        return (heartbeat, progress, tick)
    }

    @Test("Heartbeats and progress of a large cluster cost what those of a small one do")
    func flat() {
        let isFull = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil
        let (shards, workers) = isFull ? (1000, 200) : (200, 40)
        let small = costs(shards: 10, workers: 4)
        let large = costs(shards: shards, workers: workers)
        print("microseconds, medians: 10 shards, 4 workers, 100 requests: \(small)")
        print("microseconds, medians: \(shards) shards, \(workers) workers, \(10 * shards) requests: \(large)")
        #expect(large.heartbeat < max(200, 20 * small.heartbeat))
        #expect(large.progress < max(200, 20 * small.progress))
    }
}
