import ClusterTestSupport
import Coordination
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Attention in evaluations")
struct EvaluationAttentionTests {
    /// A cluster of two trained shards with one worker, asked to evaluate; what it then tells the worker.
    private func started(looksAtQuery: Bool, aggregatesOnly: Bool = false) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello(
            "a",
            copies: (0..<2).map { .init(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") })
        fixture.ask(
            .evaluate(.init(split: .test, compare: false, aggregatesOnly: aggregatesOnly)), id: "e")
        let split = LoadedSplit(
            digests: ["p", "q"], missingEmbeddings: looksAtQuery ? ["q"] : [], looksAtQuery: looksAtQuery)
        fixture.feed(.splitLoaded(operation: "e", .success(split)))
        return fixture
    }

    private struct WorkItem {
        var embedded: [(scope: AttentionScope, digests: [String])] = []
        /// Adapters and weights of every scoring.
        var scored: [(adapters: [String], weights: [Float])] = []
        var scores: EvaluationScores?
    }

    /// Answers everything until the scores are complete. Margins say how many scorings came before.
    private func finish(_ fixture: inout CoordinatorFixture) -> WorkItem {
        var work = WorkItem()
        var waiting = fixture.actions
        for _ in 0..<200 where work.scores == nil {
            guard !waiting.isEmpty else {
                fixture.wait(250, beating: ["a"])
                waiting = fixture.actions
                continue
            }
            fixture.actions = []
            switch waiting.removeFirst() {
            case .dispatch(_, .embed(let task, _, let scope, let digests)):
                work.embedded.append((scope, digests))
                let values = digests.flatMap { _ -> [Float] in [0, 1] }
                fixture.say(.embedded(task: task, tokens: 1, seconds: 1, values: values), by: "a")
            case .dispatch(_, .score(let task, _, let adapters, let weights, let digests)):
                work.scored.append((adapters.map(\.name), weights))
                let margins = digests.map { _ in Float(work.scored.count) }
                fixture.say(.scored(task: task, tokens: 1, seconds: 1, margins: margins), by: "a")
            case .computeWeights(let operation, let request):
                let row: [Float] = request.scope == .prompt ? [0.75, 0.25] : [0.5, 0.5]
                let weights = request.digests.flatMap { _ in row }
                // What was computed before the evaluation began anew may come late, and is not of now.
                for (generation, weights) in [(-1, weights.map { 1 - $0 * $0 }), (0, weights)] {
                    let event = CoordinatorEvent.weights(
                        operation: operation, generation: request.generation + generation, request.scope,
                        .success(weights))
                    fixture.feed(event)
                }
            case .buildEvaluation(_, let scores): work.scores = scores
            default: break
            }
            waiting += fixture.actions
        }
        return work
    }

    @Test("With equal weights an aggregate is scored once for every scope of attention")
    func equalWeights() throws {
        var fixture = started(looksAtQuery: false)
        let work = finish(&fixture)
        #expect(work.embedded.isEmpty)
        // The base, two adapters, ND and D.
        #expect(work.scored.count == 5)
        let series = try #require(work.scores?.series)
        let nonDecomposed = series.filter {
            if case .aggregate(.nonDecomposed, _) = $0.model { true } else { false }
        }
        #expect(nonDecomposed.count == 3)
        #expect(Set(nonDecomposed.map(\.margins)).count == 1)
        #expect(nonDecomposed.allSatisfy { !$0.margins.contains(0) })
    }

    @Test("With attention each scope has its own embeddings and weights")
    func scopes() throws {
        var fixture = started(looksAtQuery: true)
        let work = finish(&fixture)
        #expect(work.embedded.filter { $0.scope == .prompt }.flatMap(\.digests) == ["q"])
        #expect(work.embedded.filter { $0.scope == .history }.flatMap(\.digests) == ["p", "q"])
        let weighted = work.scored.map(\.weights).filter { !$0.isEmpty }
        #expect(weighted.count { $0 == [0.75, 0.25, 0.75, 0.25] } == 2)
        #expect(weighted.count { $0 == [0.5, 0.5, 0.5, 0.5] } == 1)
        #expect(work.scored.count == 7)
        #expect(work.scores?.series.allSatisfy { !$0.margins.contains(0) } == true)
    }

    @Test("Asked for aggregates only, nothing else is scored")
    func aggregatesOnly() throws {
        var fixture = started(looksAtQuery: false, aggregatesOnly: true)
        let work = finish(&fixture)
        #expect(work.scored.map(\.adapters) == [["a0", "a1"], ["a0", "a1"]])
        #expect(try #require(work.scores?.series).count == 4)
    }

    @Test("The adapter to compare with is trained first, while other workers score")
    func comparisonFirst() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        for name in ["a", "b"] {
            fixture.hello(
                name,
                copies: (0..<2).map { .init(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") })
        }
        fixture.ask(.evaluate(.init(split: .test, compare: true)), id: "e")
        fixture.actions = []
        fixture.feed(
            .splitLoaded(
                operation: "e",
                .success(LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: false))))
        var (training, scoring): ([PeerID], [PeerID]) = ([], [])
        for case .dispatch(let peer, let work) in fixture.actions {
            if case .replay = work { training.append(peer) }
            if case .score = work { scoring.append(peer) }
        }
        #expect(training.count == 1)
        #expect(!scoring.isEmpty && scoring.allSatisfy { $0 != training.first })
    }

    @Test("Impossible parameters are refused", arguments: [(-1.0, 20), (Double.nan, 20), (1, 0)])
    func impossible(tau: Double, neighbours: Int) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.ask(
            .evaluate(.init(split: .test, compare: false, attention: .init(tau: tau, neighbours: neighbours))), id: "e")
        #expect(fixture.errors.map(\.code) == [.invalidRequest])
    }
}
