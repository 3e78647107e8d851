import Foundation
import LanguageModels
import Messages
import Testing
import Unlearning
import lethe

@Suite("What people are told of an adapter that is a stage")
struct StageWordsTests {
    private let stage = SlicesReport(count: 4, first: 3, tokens: 0, stage: 2)
    private let whole = SlicesReport(count: 4, first: 1, tokens: 100)

    private func adapter(_ shard: Int, _ slices: SlicesReport?) -> AdaptersReply.Adapter {
        AdaptersReply.Adapter(
            shard: shard,
            training: TrainingReport(
                adapter: String(repeating: "\(shard)", count: 64), manifest: "manifest", prompts: 10,
                specification: TrainingSpecification(base: "base", precision: .f32, slices: 4), steps: 1, tokens: 100,
                seconds: 1, computeSeconds: 1, epochLosses: [0.5], slices: slices),
            created: "2026-01-01T00:00:00.000Z", specificationDigest: "digest")
    }

    private func card(_ slices: [SlicesReport?]) -> String {
        ModelCard(
            adapters: slices.enumerated().map { adapter($0.offset, $0.element) }, audit: [],
            statistics: LedgerStatistics(
                users: 1, items: 1, interactions: 1, tombstones: 0, forgetRequests: 1, auditEntries: 0,
                tokensPerSecond: nil), certificateKey: Data(), prompts: nil
        ).text
    }

    @Test("The list of adapters names it")
    func list() {
        let reply = AdaptersReply(
            model: ModelConfiguration(
                family: .llama, vocabulary: 16, hidden: 8, layers: 1, heads: 1, keyValueHeads: 1, headDimension: 8,
                intermediate: 8, context: 128, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
                attentionBias: false), adapters: [adapter(0, stage), adapter(1, whole), adapter(2, nil)])
        let lines = reply.text.split(separator: "\n")
        let isNamed = lines.map { $0.contains("apa (stage 2 of 4, exact)") }
        #expect(isNamed == [false, true, false, false])
    }

    @Test("The model card of an export does not take it for what training on all of the shard's data gives")
    func export() {
        let mixed = card([stage, whole])
        #expect(mixed.contains("The adapter of shard 0 had not been trained on all of the retained data"))
        #expect(mixed.contains("The others are what training") && !mixed.contains("Every adapter is what training"))
        #expect(mixed.contains("| apa | stage 2 of 4, exact |") && mixed.contains("| apa | yes |"))
        let stages = card([stage, stage])
        #expect(stages.contains("The adapters of shards 0, 1 had not been") && !stages.contains("The others are"))
        let trained = card([whole, nil])
        #expect(trained.contains("Every adapter is what training") && !trained.contains("had not been trained"))
    }

    @Test("An answer names it, of how many slices where who answers says so", arguments: [4, nil])
    func query(slices: Int?) {
        let reply = QueryReply(
            user: "u", items: [],
            adapters: [
                .init(shard: 0, name: "a", weight: 0.25, stage: 2, slices: slices),
                .init(shard: 1, name: "b", weight: 0.75),
            ], absentShards: [], rule: .nonDecomposed, attention: "equal", exact: true, seconds: 0)
        let named = slices == nil ? "(stage 2, exact)" : "(stage 2 of 4, exact)"
        #expect(QueryText.of(reply).contains("shard 0 0.25 \(named), shard 1 0.75"))
    }
}
