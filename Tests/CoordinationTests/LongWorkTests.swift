import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Work that takes longer than connections last")
struct LongWorkTests {
    /// Trainings of minutes, one forget, one verification and one comparison.
    private func plan(seed: UInt64) -> SimulationPlan {
        var plan = SimulationPlan(seed: seed)
        plan.workers = 1 + Int(seed % 3)
        plan.shards = 3
        plan.partitionNeedsEmbeddings = false
        plan.chaosMilliseconds = 900_000
        (plan.lossy, plan.crashes, plan.forgets, plan.reads) = (0, 0, 1, 2)
        (plan.prepares, plan.hasFalseWorker) = (false, false)
        plan.trainingMilliseconds = 60_000...90_000
        return plan
    }

    private func run(_ plan: SimulationPlan) -> Simulation {
        var simulation = Simulation(plan)
        simulation.run(patienceMilliseconds: 3_000_000)
        #expect(simulation.violations.isEmpty, "\(simulation.violations.joined(separator: "; "))")
        return simulation
    }

    @Test("Workers that are lost for seconds, again and again, begin nothing anew", arguments: 0..<6)
    func shortLosses(seed: UInt64) {
        let undisturbed = run(plan(seed: seed)).longJobs
        var plan = plan(seed: seed)
        plan.shortLosses = (every: 20_000, lasting: 5000)
        let simulation = run(plan)
        #expect(simulation.losses > 20)
        #expect(simulation.longJobs <= undisturbed + 3, "\(simulation.longJobs) instead of \(undisturbed)")
    }

    @Test("A coordinator that stands still for longer than its patience takes nobody for lost", arguments: 0..<6)
    func pauses(seed: UInt64) {
        var plan = plan(seed: seed)
        plan.pauses = (every: 30_000, lasting: 8000)
        let simulation = run(plan)
        #expect(simulation.losses == 0)
    }
}
