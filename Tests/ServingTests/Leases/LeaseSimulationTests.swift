import Foundation
import Testing

@Suite struct LeaseSimulationTests {
    /// `LETHE_TEST_LEASES` is a number of seeds; `cluster/test --full` runs more of them.
    private static let seeds =
        UInt64(ProcessInfo.processInfo.environment["LETHE_TEST_LEASES"] ?? "") ?? 5000
    private static let first = UInt64(ProcessInfo.processInfo.environment["LETHE_TEST_LEASES_FROM"] ?? "") ?? 0

    @Test
    func `No answer after an acknowledgement rests on what was forgotten, whatever is lost, late, doubled or paused`() {
        var (answers, acknowledged) = (0, 0)
        for seed in Self.first..<(Self.first + Self.seeds) {
            var simulation = LeaseSimulation(seed: seed)
            let outcome = simulation.play()
            if let fault = outcome.faults.first {
                Issue.record("seed \(seed): \(fault)")
                return
            }
            answers += outcome.answers
            acknowledged += outcome.acknowledged
        }
        // It is no wonder that nobody answers wrongly where nobody answers.
        #expect(answers > Int(Self.seeds) * 20)
        #expect(acknowledged > Int(Self.seeds))
        print("leases: \(Self.seeds) runs from seed \(Self.first), \(answers) answers, \(acknowledged) forgets")
    }

    @Test(arguments: [
        LeaseSimulation.Carelessness.answersWithoutLease, .keepsWhatWasRevoked, .acknowledgesAtOnce, .forgetsEarlierRun,
    ])
    func `The simulation finds what careless processes do`(_ carelessness: LeaseSimulation.Carelessness) {
        let found = (0..<UInt64(20_000)).first { seed in
            var simulation = LeaseSimulation(seed: seed, carelessness: carelessness)
            return simulation.play().faults.contains { $0.contains("answered") }
        }
        #expect(found != nil)
    }
}
