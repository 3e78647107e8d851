import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Simulated clusters")
struct SimulationTests {
    /// More with LETHE_SIMULATION_SEEDS, from LETHE_SIMULATION_FIRST on, so that several processes can share them; a single
    /// one with LETHE_SIMULATION_SEED.
    static var seeds: Range<UInt64> {
        func number(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap(UInt64.init) }
        if let one = number("LETHE_SIMULATION_SEED"), one < .max { return one..<(one + 1) }
        let usual: UInt64 = TestRounds.isFull ? 400 : 150
        let first = number("LETHE_SIMULATION_FIRST") ?? 0
        let (end, isTooLarge) = first.addingReportingOverflow(max(1, number("LETHE_SIMULATION_SEEDS") ?? usual))
        return first..<(isTooLarge ? .max : end)
    }

    @Test(
        "Under faults no acknowledged forget is lost, no adapter that saw forgotten data answers, and all comes to rest"
    )
    func invariantsHold() {
        let saysHowFar = ProcessInfo.processInfo.environment["LETHE_SIMULATION_PROGRESS"] != nil
        let seeds = Self.seeds
        var (stages, sentAway, handed) = (0, 0, 0)
        for seed in seeds {
            var simulation = Simulation(.withOrders(seed: seed))
            simulation.run()
            stages += simulation.ledger.stagesTaken
            sentAway += simulation.sentAway
            handed += simulation.hosts.reduce(0) { $0 + $1.worker.stagesTaken }
            #expect(
                simulation.violations.isEmpty,
                "seed \(seed) at \(simulation.now) ms: \(simulation.violations.joined(separator: "; "))")
            expectFreshAdapters(after: simulation, seed: seed)
            let done = seed - seeds.lowerBound + 1
            if saysHowFar, done.isMultiple(of: 1000) { tell("\(done) of \(seeds.count) seeds, the last one \(seed)") }
        }
        // What is claimed of stages was looked at.
        if seeds.count >= 100 { #expect(stages > 0 && sentAway > 0 && handed > 0) }
    }

    /// At once, also where the output is a file.
    private func tell(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
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
        plan.orders = 0
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
