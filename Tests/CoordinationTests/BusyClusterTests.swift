import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Clusters that always have a shard to train")
struct BusyClusterTests {
    /// Two workers, four shards, and a request every four seconds: retraining and repeating trainings takes longer, and some
    /// trainings begin anew because their shard is hit again.
    private func plan(seed: UInt64) -> SimulationPlan {
        var plan = SimulationPlan(seed: seed)
        plan.workers = 2
        plan.shards = 4
        plan.users = Dictionary(uniqueKeysWithValues: (0..<60).map { ($0, 5) })
        plan.partitionNeedsEmbeddings = false
        plan.chaosMilliseconds = 260_000
        (plan.lossy, plan.crashes, plan.forgets, plan.reads) = (0, 0, 0, 0)
        (plan.prepares, plan.hasFalseWorker) = (false, false)
        plan.forgetEveryMilliseconds = 4000
        return plan
    }

    @Test("Where forgets arrive faster than slack appears every request finishes in bounded time", arguments: 0..<8)
    func everyRequestFinishes(seed: UInt64) throws {
        var simulation = Simulation(plan(seed: seed))
        simulation.run()
        #expect(simulation.violations.isEmpty, "\(simulation.violations.joined(separator: "; "))")
        let requests = simulation.clients.filter { if case .forget = $0.body { true } else { false } }
        #expect(requests.count > 50)
        for request in requests {
            let begin = try #require(request.acknowledgedAt)
            let end = try #require(request.endedAt)
            #expect(end - begin < 150_000, "seed \(seed), \(request.request): \(begin) to \(end)")
        }
    }
}
