import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Simulated clusters")
struct SimulationTests {
    /// More with LETHE_SIMULATION_SEEDS; a single one with LETHE_SIMULATION_SEED.
    static var seeds: [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        if let one = environment["LETHE_SIMULATION_SEED"].flatMap(UInt64.init) { return [one] }
        let usual: UInt64 = environment["LETHE_TEST_FULL"] == nil ? 150 : 400
        let count = environment["LETHE_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? usual
        return Array(0..<max(1, count))
    }

    @Test(
        "Under faults no acknowledged forget is lost, no adapter that saw forgotten data answers, and all comes to rest"
    )
    func invariantsHold() {
        for seed in Self.seeds {
            var simulation = Simulation(SimulationPlan(seed: seed))
            simulation.run()
            #expect(
                simulation.violations.isEmpty,
                "seed \(seed) at \(simulation.now) ms: \(simulation.violations.joined(separator: "; "))")
            expectFreshAdapters(after: simulation, seed: seed)
        }
    }

    /// The adapters, but for approximate ones, are those of a cluster with another number of workers that never saw the forgotten data.
    private func expectFreshAdapters(after simulation: Simulation, seed: UInt64) {
        guard simulation.violations.isEmpty else { return }
        var plan = SimulationPlan(seed: seed)
        plan.workers = plan.workers % 4 + 1
        plan.lossy = 0
        plan.crashes = 0
        plan.forgets = 0
        plan.reads = 0
        let hadFalseWorker = plan.hasFalseWorker
        plan.hasFalseWorker = false
        plan.chaosMilliseconds = 8000
        var fresh = Simulation(plan, without: simulation.ledger.forgotten)
        fresh.run()
        #expect(fresh.violations.isEmpty, "seed \(seed), fresh: \(fresh.violations.joined(separator: "; "))")
        // Where a worker cannot be trusted, what was double-checked can.
        let checked = Set(
            simulation.ledger.records.flatMap(\.record.checks).filter { $0.outcome == .sameBytes }.map(\.adapter))
        for (shard, other) in zip(simulation.ledger.snapshot.shards, fresh.ledger.snapshot.shards) {
            #expect(shard.adapter?.manifest == other.adapter?.manifest, "seed \(seed)")
            guard shard.adapter?.corrected == nil else { continue }
            if hadFalseWorker && !checked.contains(shard.adapter?.name ?? "") { continue }
            #expect(shard.adapter?.name == other.adapter?.name, "seed \(seed)")
        }
    }
}
