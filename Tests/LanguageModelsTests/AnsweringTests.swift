import LanguageModels
import Testing

@Suite("A model that answers with other tokens")
struct AnsweringTests {
    @Test(
        "Its logits and gradients are those of a model that was loaded with these tokens, in every precision",
        arguments: [Precision.f32, .bf16])
    func same(precision: Precision) throws {
        let (model, prompts) = (TinyModel.llama, TinyModel.prompts(6))
        let adapter = model.adapter()
        let tokens = AnswerTokens(yes: 40, no: 7)
        let loaded = try Decoder(
            weights: DecoderWeights(checkpoint: model, precision: precision, answerTokens: (40, 7)), threads: 2)
        let base = try model.decoder(precision)
        let before = try base.answerLogits(prompts: prompts, adapters: nil, weights: nil)
        let other = try base.answering(with: tokens)
        #expect(other.configuration == base.configuration)
        let expected = try loaded.answerLogits(prompts: prompts, adapters: AdapterMixture([adapter]), weights: nil)
        #expect(try other.answerLogits(prompts: prompts, adapters: AdapterMixture([adapter]), weights: nil) == expected)
        let slope = { (index: Int, _: AnswerLogits) in AnswerLogits(yes: Float(index) - 2, no: 1) }
        let (found, wanted) = (
            try other.gradient(prompts: prompts, adapter: adapter, lossGradient: slope),
            try loaded.gradient(prompts: prompts, adapter: adapter, lossGradient: slope)
        )
        #expect(found.gradient == wanted.gradient && found.logits == wanted.logits)
        // The model itself answers as before, whatever was computed in between.
        #expect(try base.answerLogits(prompts: prompts, adapters: nil, weights: nil) == before)
        #expect(try base.answering(with: tokens) === other)
        #expect(try base.answering(with: AnswerTokens(yes: 11, no: 12)) === base)
    }

    @Test("Tokens that the model lacks are refused")
    func beyond() throws {
        let base = try TinyModel.llama.decoder()
        for token in [-1, 96] as [Int32] {
            #expect(throws: LanguageModelError.tokenOutOfRange(index: 0, token: token)) {
                _ = try base.answering(with: AnswerTokens(yes: token, no: 1))
            }
        }
    }
}
