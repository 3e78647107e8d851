import Foundation
import LanguageModels
import Messages
import Recommendation
import Serving
import Testing
import TrainingTestSupport
import Unlearning

/// Says of how many tokens it was told that they were computed before.
private final class RememberingModel: AnswerModel {
    let configuration = ModelConfiguration(
        family: .llama, vocabulary: 256, hidden: 8, layers: 1, heads: 1, keyValueHeads: 1, headDimension: 8,
        intermediate: 8, context: 4096, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
        attentionBias: false)
    private(set) var known: [[Int]] = []

    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits] { [] }

    func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?, beginnings: PromptBeginnings
    ) throws -> (logits: [AnswerLogits], kept: [KeptBeginning]) {
        known.append(beginnings.known.map { $0?.tokens.count ?? 0 })
        let kept = try beginnings.wanted.map {
            try KeptBeginning(tokens: Array(prompts[$0.prompt].prefix($0.tokens)), layers: 1, rowBytes: 1)
        }
        return (prompts.map { AnswerLogits(yes: Float($0.count), no: 0) }, kept)
    }

    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) { ([], []) }

    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { [] }
}

@Suite struct RepeatedQuestionTests {
    private let model = RememberingModel()

    private var layout: AdapterLayout {
        AdapterLayout(model: model.configuration, configuration: LoRAConfiguration(rank: 1))
    }

    private func job(
        _ person: Int64, items: [String], top: Int? = 1, members: [QuestionMaterial.Member] = []
    ) throws -> QueryJob {
        let user = "u\(person)"
        let history = (0..<5).map {
            Interaction(user: user, item: "h\(person)\($0)", timestamp: Int64($0), rating: 5, ordinal: 0)
        }
        let material = QuestionMaterial(
            person: person, user: user, history: history,
            titles: Dictionary(uniqueKeysWithValues: history.map { ($0.item, "Film \($0.item) of \(person)") }),
            items: items.map { Item(id: $0, title: "Title \($0)") }, prompts: PromptConfiguration(), members: members,
            parameters: .init(tau: 0, neighbours: 1), attention: nil, absentShards: [], rule: .nonDecomposed,
            embedding: EmbeddingSource(layer: 1, pooling: .mean), whenNoAdapter: .base)
        return try QueryJob(
            .init(user: user, items: items, top: top), material,
            attention: PreparedAttention(table: .empty, parameters: nil, members: members), adapters: .held,
            layout: layout)
    }

    @Test func `Who is asked about again is computed from the end of the history, until it is forgotten`() throws {
        let engine = QueryEngine(tokenizer: ByteTokenizer(), decoder: model)
        var number: QuestionQueue.ComputationID = 0
        func ask(_ person: Int64, _ items: [String]) throws -> [Int] {
            number += 1
            try engine.begin(number, of: .key(""), job(person, items: items))
            _ = engine.pass()
            return model.known.last ?? []
        }
        #expect(try ask(1, ["a", "b"]) == [0, 0])
        let history = try ask(1, ["c"])
        #expect(history[0] > 100)
        // Of another person's prompt nothing is known; with it, what all prompts begin with.
        #expect(try ask(2, ["a"]) == [0])
        _ = try ask(3, ["a"])
        let fixed = try ask(4, ["a"])
        #expect(fixed[0] >= BeginningCache.shortest && fixed[0] < history[0])
        #expect(try ask(1, ["d", "e"]) == [history[0], history[0]])
        engine.forget(ForgottenInputs(people: [1], items: [], adapters: [], changesReferences: false))
        #expect(try ask(1, ["f"]) == [0])
        engine.letGo()
        #expect(try ask(1, ["g"]) == [0])
    }

    @Test func `What a gateway answers with the stage that it was given says so, and of how many slices`() throws {
        let (stage, trained) = (Adapter.initial(layout: layout, seed: 1), Adapter.initial(layout: layout, seed: 2))
        let members = [
            QuestionMaterial.Member(shard: 0, name: stage.contentName, exact: true, stage: 2, slices: 4),
            QuestionMaterial.Member(shard: 1, name: trained.contentName, exact: true),
        ]
        let sent = try JSONDecoder().decode([QuestionMaterial.Member].self, from: JSONEncoder().encode(members))
        let engine = QueryEngine(tokenizer: ByteTokenizer(), decoder: model)
        for adapter in [stage, trained] { engine.hold(adapter.contentName, adapter.safetensorsBytes()) }
        try engine.begin(1, of: .key(""), job(1, items: ["a"], members: sent))
        guard case .answered(1, .success(let reply))? = engine.pass().first else {
            Issue.record("it was not answered")
            return
        }
        #expect(reply.exact && reply.adapters.map(\.shard) == [0, 1])
        #expect(reply.adapters.map(\.stage) == [2, nil] && reply.adapters.map(\.slices) == [4, nil])
    }
}
