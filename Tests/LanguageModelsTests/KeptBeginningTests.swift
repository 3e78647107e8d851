import LanguageModels
import Testing

/// What was computed of a beginning before, and is not computed again, changes no answer.
@Suite struct KeptBeginningTests {
    private static let beginning = tokens(24, by: 5, from: 3)
    private static let history = beginning + tokens(19, by: 7, from: 2)

    private static func tokens(_ count: Int, by step: Int, from first: Int) -> [Int32] {
        (0..<count).map { position -> Int32 in Int32((position * step + first) % 60 + 1) }
    }

    /// So many prompts that begin with it.
    private func prompts(_ beginning: [Int32], _ count: Int, from first: Int = 0) -> [[Int32]] {
        (first..<(first + count)).map { number -> [Int32] in
            beginning + Self.tokens(3 + number % 4, by: 11, from: number * 13)
        }
    }

    private func near(_ left: [AnswerLogits], _ right: [AnswerLogits]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { abs($0.margin - $1.margin) < 1e-4 }
    }

    private static let models: [TinyModel] = [.llama, .qwen2]

    @Test(arguments: models)
    func `One prompt, or many of different lengths, behind a beginning`(_ model: TinyModel) throws {
        let decoder = try model.decoder()
        let first = try decoder.answerLogits(
            prompts: prompts(Self.beginning, 1), adapters: nil, weights: nil,
            beginnings: .init(wanted: [(0, Self.beginning.count)]))
        let kept = try #require(first.kept.first)
        #expect(kept.tokens == Self.beginning)
        for asked in [prompts(Self.beginning, 1, from: 5), prompts(Self.beginning, 40)] {
            let expected = try decoder.answerLogits(prompts: asked, adapters: nil, weights: nil)
            let found = try decoder.answerLogits(
                prompts: asked, adapters: nil, weights: nil,
                beginnings: .init(known: Array(repeating: kept, count: asked.count)))
            #expect(near(found.logits, expected))
        }
    }

    @Test(arguments: AggregationRule.allCases)
    func `Under a mixture, prompts with several beginnings and with none in one call`(_ rule: AggregationRule) throws {
        let model = TinyModel.llama
        let decoder = try model.decoder()
        let mixture = AdapterMixture((0..<3).map { model.adapter(name: "\($0)") }, rule: rule)
        let others = prompts(Array(Self.history.reversed()), 3)
        let asked = prompts(Self.history, 5) + others + prompts(Self.beginning, 4)
        let expected = try decoder.answerLogits(prompts: asked, adapters: mixture, weights: nil)
        let kept = try decoder.answerLogits(
            prompts: asked, adapters: mixture, weights: nil,
            beginnings: .init(wanted: [(0, Self.history.count), (11, Self.beginning.count)])
        ).kept
        let known: [KeptBeginning?] =
            Array(repeating: kept[0], count: 5) + Array(repeating: nil, count: 3) + Array(repeating: kept[1], count: 4)
        let found = try decoder.answerLogits(
            prompts: asked, adapters: mixture, weights: nil, beginnings: .init(known: known))
        #expect(near(found.logits, expected))
    }

    @Test func `With weights of each prompt a beginning serves those that have the same`() throws {
        let model = TinyModel.llama
        let decoder = try model.decoder()
        let mixture = AdapterMixture((0..<2).map { model.adapter(name: "\($0)") })
        let asked = prompts(Self.beginning, 6)
        let weights = asked.indices.flatMap { index -> [Float] in index % 2 == 0 ? [0.25, 0.75] : [1, 0] }
        let expected = try decoder.answerLogits(prompts: asked, adapters: mixture, weights: weights)
        let kept = try decoder.answerLogits(
            prompts: asked, adapters: mixture, weights: weights, beginnings: .init(wanted: [(0, 24), (1, 24)])
        ).kept
        let found = try decoder.answerLogits(
            prompts: asked, adapters: mixture, weights: weights,
            beginnings: .init(known: asked.indices.map { kept[$0 % 2] }))
        #expect(near(found.logits, expected))
        // Those of the others would be wrong.
        let wrong = try decoder.answerLogits(
            prompts: asked, adapters: mixture, weights: weights,
            beginnings: .init(known: asked.indices.map { kept[1 - $0 % 2] }))
        #expect(!near(wrong.logits, expected))
    }

    @Test func `A longer beginning is kept behind a shorter one that is known`() throws {
        let decoder = try TinyModel.llama.decoder()
        let short = try decoder.answerLogits(
            prompts: prompts(Self.beginning, 1), adapters: nil, weights: nil, beginnings: .init(wanted: [(0, 24)])
        ).kept[0]
        let asked = prompts(Self.history, 2)
        let long = try decoder.answerLogits(
            prompts: asked, adapters: nil, weights: nil,
            beginnings: .init(known: [short, short], wanted: [(1, Self.history.count)])
        ).kept[0]
        let expected = try decoder.answerLogits(prompts: asked, adapters: nil, weights: nil)
        let found = try decoder.answerLogits(
            prompts: asked, adapters: nil, weights: nil, beginnings: .init(known: [long, long]))
        #expect(near(found.logits, expected))
    }

    @Test func `What a prompt does not begin with is not used`() throws {
        let decoder = try TinyModel.llama.decoder()
        let kept = try decoder.answerLogits(
            prompts: prompts(Self.beginning, 1), adapters: nil, weights: nil, beginnings: .init(wanted: [(0, 24)])
        ).kept[0]
        let asked: [[Int32]] = [
            Array(Self.beginning.reversed()) + [1, 2], Self.beginning, Array(Self.beginning.prefix(7)),
        ]
        let expected = try decoder.answerLogits(prompts: asked, adapters: nil, weights: nil)
        let found = try decoder.answerLogits(
            prompts: asked, adapters: nil, weights: nil, beginnings: .init(known: [kept, kept, kept]))
        #expect(found.logits == expected)
    }
}
