import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("Evaluations of many adapters")
struct ManyAdaptersTests {
    @Test("Hundreds of shards are evaluated one by one and together, weighed by attention, within the wire's limits")
    func hundreds() throws {
        let shards = 600
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: shards, adapters: true))
        let copies = (0..<shards).map { ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") }
        fixture.hello("a", copies: copies)
        fixture.ask(.evaluate(.init(split: .test, compare: false)), id: "e")
        let split = LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: true)
        fixture.feed(.splitLoaded(operation: "e", .success(split)))
        let row = (0..<shards).map { Float($0 + 1) }
        var (waiting, scores, weighted) = (fixture.actions, EvaluationScores?.none, 0)
        for _ in 0..<3000 where scores == nil && !waiting.isEmpty {
            fixture.actions = []
            switch waiting.removeFirst() {
            case .dispatch(_, .embed(let task, _, _, let digests)):
                let values = digests.flatMap { _ -> [Float] in [0, 1] }
                fixture.say(.embedded(task: task, tokens: 1, seconds: 1, values: values), by: "a")
            case .dispatch(_, .score(let task, let rule, let adapters, let weights, let digests)):
                #expect(weights.isEmpty || weights == digests.flatMap { _ in row })
                weighted += weights.isEmpty ? 0 : 1
                try expectFits(rule, adapters.map(\.name), weights, digests)
                let margins = digests.map { _ in Float(adapters.last?.name.dropFirst() ?? "-1") ?? 0 }
                fixture.say(.scored(task: task, tokens: 1, seconds: 1, margins: margins), by: "a")
            case .computeWeights(let operation, let request):
                #expect(request.adapters == (0..<shards).map { "a\($0)" })
                let weights = request.digests.flatMap { _ in row }
                fixture.feed(
                    .weights(
                        operation: operation, generation: request.generation, request.scope, .success(weights)))
            case .buildEvaluation(_, let complete): scores = complete
            default: break
            }
            waiting += fixture.actions
        }
        let complete = try #require(scores)
        #expect(weighted == 3)
        // The base, each adapter, both rules by the prompt, one by the history, and equal weights.
        #expect(complete.series.count == shards + 5)
        #expect(complete.adapters.map(\.shard) == Array(0..<shards))
        for series in complete.series {
            guard case .adapter(let shard, _) = series.model else { continue }
            #expect(series.margins == [Float(shard), Float(shard)])
        }
    }

    private func expectFits(
        _ rule: AggregationRule, _ adapters: [String], _ weights: [Float], _ digests: [String]
    ) throws {
        let prompts = Array(WireSamples.prompts.prefix(digests.count))
        let message = CoordinatorMessage.score(
            .init(
                task: 1, rule: rule, adapters: adapters, weights: prompts.count == digests.count ? weights : [],
                prompts: prompts))
        #expect(try CoordinatorMessage(frames: message.frames()) == message)
    }
}
