import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Choosing τ and n on validation")
struct TuningTests {
    /// Adapter k is right on the samples near axis k and wrong elsewhere.
    private struct Specialists {
        var ids: [String] = []
        var embeddings: [Float] = []
        var labels: [Bool] = []
        var margins: [[Float]] = [[], []]

        init(count: Int, seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            for index in 0..<count {
                let axis = index % 2
                ids.append("v\(index)")
                embeddings += (0..<2).map { ($0 == axis ? 2 : 0) + Float.random(in: -0.5...0.5, using: &random) }
                let label = Bool.random(using: &random)
                labels.append(label)
                for adapter in 0..<2 {
                    let strength = Float.random(in: 0.5...2, using: &random)
                    margins[adapter].append((adapter == axis) == label ? strength : -strength)
                }
            }
        }

        func tune(
            taus: [Double] = [0, 1, 10, 100], neighbours: [Int] = [3, 10], available: [Bool]? = nil
        ) throws -> (best: SampleAdaptiveAttention.Parameters, trials: [AttentionTrial]) {
            try SampleAdaptiveAttention.tune(
                ids: ids, embeddings: embeddings, dimension: 2, margins: margins, labels: labels, available: available,
                taus: taus, neighbours: neighbours)
        }
    }

    @Test("Specialised adapters are told apart")
    func specialists() throws {
        let (best, trials) = try Specialists(count: 60, seed: 1).tune()
        #expect(best.tau >= 10)
        let equal = try #require(trials.first { $0.parameters.tau == 0 })
        let chosen = try #require(trials.first { $0.parameters == best })
        #expect(chosen.logLoss < equal.logLoss - 0.1)
        #expect((chosen.auc ?? 0) > 0.95)
        #expect(trials.count == 7)
    }

    @Test("Adapters that do not differ get equal weights, over as many neighbours as may be")
    func equals() throws {
        var data = Specialists(count: 40, seed: 2)
        data.margins[1] = data.margins[0]
        #expect(try data.tune().best == SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 10))
    }

    @Test("Chance differences mostly leave the weights equal")
    func chance() throws {
        var equal = 0
        for seed in 0..<30 {
            var random = SeededGenerator(seed: UInt64(seed))
            var data = Specialists(count: 200, seed: UInt64(100 + seed))
            // All adapters alike: the answer, with noise of their own.
            for adapter in 0..<2 {
                data.margins[adapter] = data.labels.map { ($0 ? 0.5 : -0.5) + Float.random(in: -2...2, using: &random) }
            }
            if try data.tune().best.tau == 0 { equal += 1 }
        }
        #expect(equal >= 20)
    }

    @Test("The simpler of two equally good candidates stays")
    func simplest() throws {
        // With everyone as neighbour or all but the sample itself, n = 59 and n = 1000 are the same.
        let (_, trials) = try Specialists(count: 60, seed: 3).tune(taus: [1], neighbours: [59, 1000])
        #expect(trials.map(\.parameters.neighbours) == [1000, 59])
        #expect(trials[0].logLoss == trials[1].logLoss)
        let best = try Specialists(count: 60, seed: 3).tune(taus: [1], neighbours: [59, 1000]).best
        #expect(best.neighbours == 1000)
    }

    @Test("A sample is never its own neighbour")
    func leaveOneOut() throws {
        let data = Specialists(count: 30, seed: 4)
        let trials = try data.tune(taus: [6], neighbours: [4]).trials
        // The same by brute force: attention built anew without each sample.
        var mixed: [Float] = []
        for left in data.ids.indices {
            let others = data.ids.indices.filter { $0 != left }
            let attention = try SampleAdaptiveAttention(
                ids: others.map { data.ids[$0] },
                embeddings: others.flatMap { data.embeddings[(2 * $0)..<(2 * $0 + 2)] },
                dimension: 2,
                errors: data.margins.map { row in
                    let all = SampleAdaptiveAttention.errors(margins: row, labels: data.labels)
                    return others.map { all[$0] }
                }, parameters: .init(tau: 6, neighbours: 4))
            let weights = try attention.weights(for: Array(data.embeddings[(2 * left)..<(2 * left + 2)]))
            mixed.append(weights[0] * data.margins[0][left] + weights[1] * data.margins[1][left])
        }
        let expected = Metrics(margins: mixed, labels: data.labels)
        #expect(abs((expected.logLoss ?? 0) - (trials.first?.logLoss ?? 1)) < 1e-6)
        #expect(trials.first?.auc == expected.auc)
    }

    @Test("The order of the samples changes nothing", arguments: 0..<5)
    func permutation(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let data = Specialists(count: 50, seed: 5)
        let order = data.ids.indices.shuffled(using: &random)
        var permuted = data
        permuted.ids = order.map { data.ids[$0] }
        permuted.embeddings = order.flatMap { data.embeddings[(2 * $0)..<(2 * $0 + 2)] }
        permuted.labels = order.map { data.labels[$0] }
        permuted.margins = data.margins.map { row in order.map { row[$0] } }
        #expect(try permuted.tune().trials == data.tune().trials)
        #expect(try permuted.tune().best == data.tune().best)
    }

    @Test("Quarantined adapters do not take part")
    func quarantine() throws {
        let data = Specialists(count: 40, seed: 6)
        let (best, trials) = try data.tune(available: [true, false])
        #expect(best.tau == 0)
        let alone = Metrics(margins: data.margins[0], labels: data.labels).logLoss
        #expect(trials.allSatisfy { abs($0.logLoss - (alone ?? 0)) < 1e-6 })
        #expect(throws: UnlearningError.noAdapter) { try data.tune(available: [false, false]) }
    }

    @Test("Without samples the weights stay equal; broken input is refused")
    func degenerate() throws {
        let empty = Specialists(count: 0, seed: 0)
        #expect(try empty.tune().best.tau == 0)
        #expect(throws: UnlearningError.self) { try empty.tune(taus: []) }
        #expect(throws: UnlearningError.self) { try empty.tune(taus: [.nan]) }
        #expect(throws: UnlearningError.self) { try empty.tune(neighbours: [0]) }
        var broken = Specialists(count: 4, seed: 0)
        broken.margins[1][2] = .nan
        #expect(throws: UnlearningError.notFinite(what: "the margins")) { try broken.tune() }
        // One sample has no neighbours: equal weights.
        #expect(try Specialists(count: 1, seed: 0).tune().best.tau == 0)
    }
}
