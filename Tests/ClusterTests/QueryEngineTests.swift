import Crypto
import Foundation
import LanguageModels
import Messages
import Recommendation
import Serving
import Testing
import TrainingTestSupport
import Unlearning

/// A model that says how long a prompt is, and keeps how many it was asked about at once.
private final class LengthModel: AnswerModel {
    let configuration = LetterModel().configuration
    private(set) var passes: [Int] = []
    /// Prompts that hold this token fail.
    var broken: Int32?

    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits] {
        if let broken, prompts.contains(where: { $0.contains(broken) }) {
            throw LanguageModelError.emptyPrompt(index: 0)
        }
        passes.append(prompts.count)
        return prompts.map { AnswerLogits(yes: Float($0.count), no: Float($0.last ?? 0)) }
    }

    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) { ([], []) }

    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { prompts.flatMap { _ in [0, 0] } }
}

@Suite("Questions are computed together, pass by pass")
struct QueryEngineTests {
    private let model = LengthModel()

    /// A question about so many items, for the base model.
    private func job(
        _ user: String, items: Int, top: Int? = nil, title: String = "t",
        whenNoAdapter: ClusterConfiguration.WhenNoAdapter = .base
    ) throws -> QueryJob {
        let builder = try PromptBuilder(configuration: PromptConfiguration())
        let items = (0..<items).map { Item(id: "i\($0)", title: title + String(repeating: "x", count: $0 % 7)) }
        let table = AttentionTable(digests: [], ids: [], labels: [], embeddings: [], dimension: 0, rows: [])
        return QueryJob(
            request: .init(user: user, items: items.map(\.id), top: top), items: items,
            history: builder.queryHistory(user: user, interactions: []) { _ in nil }, builder: builder,
            attention: try PreparedAttention(table: table, parameters: nil, adapters: []), absentShards: [],
            adapters: .files(directory: "", keys: [:]),
            layout: AdapterLayout(model: model.configuration, configuration: LoRAConfiguration()),
            rule: .nonDecomposed, embedding: EmbeddingSource(layer: 1, pooling: .mean), whenNoAdapter: whenNoAdapter)
    }

    private func engine() -> QueryEngine { QueryEngine(tokenizer: ByteTokenizer(), decoder: model) }

    private func text(_ news: [QueryEngine.News]) -> [String] {
        news.map { news in
            switch news {
            case .computed(let number, let done, let prompts): "\(number): \(done) of \(prompts)"
            case .answered(let number, .success(let reply)): "\(number): answered, \(reply.items.count) items"
            case .answered(let number, .failure(let error)): "\(number): \(error)"
            case .damaged(let adapter): "\(adapter) is damaged"
            case .read(let tokens): "\(tokens) tokens"
            }
        }
    }

    @Test("Small questions do not wait behind a large one, and waiting ones share a pass")
    func shares() throws {
        let engine = engine()
        try engine.begin(1, of: .key("anna"), job("u", items: 300))
        try engine.begin(2, of: .key("anna"), job("v", items: 1))
        try engine.begin(3, of: .key("anna"), job("w", items: 40))
        #expect(text(engine.pass()) == ["1: 87 of 300", "2: answered, 1 items", "3: answered, 40 items"])
        #expect(text(engine.pass()) == ["1: 215 of 300"])
        #expect(text(engine.pass()) == ["1: answered, 300 items"])
        #expect(engine.isIdle)
        #expect(model.passes == [128, 128, 85])
    }

    @Test("Tokens are counted of what was computed, before whoever asked is answered")
    func tokens() throws {
        let engine = engine()
        var news: [QueryEngine.News] = []
        _ = engine.perform([.begin(1, .key("anna"), try job("u", items: 3))]) { news.append($0) }
        // The model's answer is how long the prompt was.
        let lengths = news.compactMap { item -> Float? in
            guard case .answered(_, .success(let reply)) = item else { return nil }
            return reply.items.reduce(0) { $0 + Float($1.margin) }
        }
        let told = text(news)
        #expect(told.count == 2 && told[0].hasSuffix(" tokens") && told[1] == "1: answered, 3 items", "\(told)")
        let length = try #require(lengths.first)
        let counted = try #require(Int(told[0].prefix { $0 != " " }))
        // margin = yes - no, and no is the last token, alike in all.
        let last = Float(counted) - length
        #expect(counted > 3 * 20 && last > 0 && last.truncatingRemainder(dividingBy: 3) == 0, "\(counted) \(length)")
        news = []
        _ = engine.perform([]) { news.append($0) }
        #expect(news.isEmpty)
    }

    @Test("Items come in the order asked, or the best of them, however many passes it takes")
    func order() throws {
        let engine = engine()
        try engine.begin(1, of: .key("anna"), job("u", items: 200))
        try engine.begin(2, of: .key("anna"), job("u", items: 200, top: 5))
        var replies: [QuestionQueue.ComputationID: QueryReply] = [:]
        while !engine.isIdle {
            for case .answered(let number, .success(let reply)) in engine.pass() { replies[number] = reply }
        }
        let all = try #require(replies[1]).items
        #expect(all.map(\.item) == (0..<200).map { "i\($0)" })
        let best = all.sorted { ($0.margin, $1.item) > ($1.margin, $0.item) }.prefix(5)
        #expect(replies[2]?.items == Array(best))
    }

    @Test("A question that nobody waits for is computed no further")
    func dropped() throws {
        let engine = engine()
        try engine.begin(1, of: .key("anna"), job("u", items: 1000))
        _ = engine.pass()
        engine.drop(1)
        #expect(engine.isIdle && engine.pass().isEmpty)
        #expect(model.passes == [128])
    }

    @Test("A question that fails takes no other with it")
    func failsAlone() throws {
        model.broken = Int32(UInt8(ascii: "~"))
        let engine = engine()
        try engine.begin(1, of: .key("anna"), job("u", items: 3))
        try engine.begin(2, of: .key("anna"), job("v", items: 3, title: "~"))
        let news = text(engine.pass())
        #expect(news[0] == "1: answered, 3 items" && news[1].hasPrefix("2: ") && !news[1].contains("answered"))
    }

    @Test("Without an adapter the base model answers only where the cluster is configured so")
    func refused() throws {
        let engine = engine()
        #expect(throws: ClientError.self) {
            try engine.begin(1, of: .key("anna"), job("u", items: 1, whenNoAdapter: .refuse))
        }
        #expect(engine.isIdle)
    }

    @Test(
        "A pass is shared fairly and filled",
        arguments: [
            ([1000], [128]), ([1000, 1000], [96, 32]), ([1000, 1], [127, 1]),
            ([40, 40, 40, 40, 40], [32, 32, 32, 32, 0]),
            ([2, 200, 3], [2, 123, 3]), ([], []),
        ])
    func plan(left: [Int], expected: [Int]) {
        let shares = PassPlan.shares(of: left)
        #expect(shares == expected)
        #expect(shares.reduce(0, +) == min(PassPlan.prompts, left.reduce(0, +)))
        #expect(zip(shares, left).allSatisfy { $0 <= $1 })
    }
}
