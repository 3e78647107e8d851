import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

/// On a real, tiny transformer: what a forgetting leaves as it was has no influence at all.
@Suite("IFRU and prompts that stay as they were")
struct IFRUUnchangedTests {
    private let shop: LetterShop
    private let model: Decoder
    private let adapter = RandomCheckpoint().adapter()
    private let gone: Set<InteractionKey>

    init() throws {
        shop = try LetterShop(users: 4, interactionsEach: 8)
        model = try RandomCheckpoint().decoder()
        gone = Set(shop.interactions.filter { $0.user == "u1" && $0.timestamp == 3 }.map(\.key))
    }

    /// ∇ℓ of one prompt.
    private func lossGradient(_ prompt: TrainingPrompt) throws -> [Float] {
        try model.gradient(prompts: [LetterShop.tokenizer.encode(prompt.text)], adapter: adapter) { _, logits in
            let slope = Float(Metrics.probability(margin: Double(logits.margin)) - (prompt.label ? 1 : 0))
            return AnswerLogits(yes: slope, no: -slope)
        }.gradient
    }

    private func gradient(_ request: InfluenceRequest, _ preparation: InfluencePreparation) throws -> [Float] {
        let gradient = try IFRU.gradient(
            model: model, tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
            request: request)
        return preparation.rows.combination(gradient.coefficients, adding: gradient.rest)
    }

    private func prepare() throws -> InfluencePreparation {
        try InfluencePreparation(
            model: model, tokenizer: LetterShop.tokenizer, adapter: adapter, prompts: shop.training())
    }

    @Test("Their gradients before and after cancel to exactly zero, and only theirs")
    func zero() throws {
        let after = Dictionary(
            shop.training(without: gone).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let request = shop.request(forgetting: gone)
        let touched = Set(request.rebuilt.map(\.old.id))
        var unchanged = 0
        for prompt in shop.training() {
            guard let new = after[prompt.id] else { continue }
            let difference = zip(try lossGradient(prompt), try lossGradient(new)).map(-)
            let isZero = difference.allSatisfy { $0 == 0 }
            #expect(isZero != touched.contains(prompt.id))
            unchanged += isZero ? 1 : 0
        }
        #expect(unchanged == 9 && request.rebuilt.count == 2 && request.direct.count == 1)
    }

    @Test("Named in a request all the same, they change nothing and cost nothing")
    func named() throws {
        let preparation = try prepare()
        let training = shop.training()
        let nothing = InfluenceRequest(direct: [], rebuilt: training.map { .init(old: $0, new: $0) })
        #expect(try gradient(nothing, preparation).allSatisfy { $0 == 0 })
        let result = try IFRU.unlearn(
            model: model, tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
            request: nothing, retained: training)
        #expect(result.corrected.adapter == adapter)
        #expect(result.report.backwardPrompts == 0 && result.report.total.scoredTokens == 0)
        // Beside real changes they make no difference either.
        var request = shop.request(forgetting: gone)
        let plain = try gradient(request, preparation)
        let touched = Set((request.direct + request.rebuilt.map(\.old)).map(\.id))
        request.rebuilt += training.filter { !touched.contains($0.id) }.map { .init(old: $0, new: $0) }
        #expect(try gradient(request, preparation) == plain)
        #expect(plain.contains { $0 != 0 })
    }

    @Test("The request's gradient is the difference of the gradients of the two whole training sets")
    func whole() throws {
        let expected = try shop.training().map(lossGradient).reduce([Float](repeating: 0, count: adapter.layout.count))
        {
            zip($0, $1).map(+)
        }
        let rest = try shop.training(without: gone).map(lossGradient).reduce(expected) { zip($0, $1).map(-) }
        let found = try gradient(shop.request(forgetting: gone), prepare())
        let scale = expected.map(abs).max() ?? 1
        #expect(zip(found, rest).allSatisfy { abs($0 - $1) < 1e-5 * max(scale, 1) })
    }

    @Test("A correction of the tiny transformer moves margins as predicted")
    func predicted() throws {
        let preparation = try prepare()
        let result = try IFRU.unlearn(
            model: model, tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
            request: shop.request(forgetting: gone), retained: shop.training())
        #expect(result.report.isWithinTolerance)
        #expect(try #require(result.report.disagreement) < 0.5)
        #expect(result.corrected.adapter != adapter)
    }
}
