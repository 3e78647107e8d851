import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Answer words in training")
struct AnswerWordsTests {
    private static let frame = PromptFrame(
        before: "Frage: ", between: "\n", after: "\nAntwort:", words: AnswerWords(yes: "J", no: "N"))
    private static let specification = TrainingSpecification(
        base: "random", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4), seed: 3, epochs: 2, batch: 4,
        learningRate: 0.01)

    private func prompts(_ frame: PromptFrame? = Self.frame) -> [TrainingPrompt] {
        letterPrompts(10).map { prompt in
            var prompt = prompt
            prompt.frame = frame
            return prompt
        }
    }

    private func train(_ prompts: [TrainingPrompt], _ model: any AnswerModel) throws -> TrainedAdapter {
        try AdapterTraining.train(
            model: model, tokenizer: ByteTokenizer(), samples: prompts, specification: Self.specification)
    }

    @Test("The gradient goes to the words' tokens: the adapter is that of a model loaded with them")
    func gradient() throws {
        let yesAndNo = try RandomCheckpoint().decoder()
        let loaded = try Decoder(
            weights: DecoderWeights(checkpoint: RandomCheckpoint(), precision: .f32, answerTokens: (74, 78)), threads: 1
        )
        let trained = try train(prompts(), yesAndNo)
        #expect(try trained.report.adapter == train(prompts(), loaded).report.adapter)
        var english = Self.frame
        english.words = AnswerWords(yes: "Y", no: "N")
        let other = try train(prompts(english), yesAndNo)
        #expect(other.report.adapter != trained.report.adapter)
        #expect(other.report.manifest != trained.report.manifest)
        // And then without a frame as ever.
        #expect(
            try train(prompts(nil), yesAndNo).report.adapter
                == train(prompts(nil), RandomCheckpoint().decoder()).report.adapter)
    }

    @Test("Words of several tokens, prompts of two frames, and a model whose answers are fixed are not trained")
    func refused() throws {
        var several = Self.frame
        several.words.yes = "Ja"
        let error = #expect(throws: LanguageModelError.self) {
            try train(prompts(several), RandomCheckpoint().decoder())
        }
        #expect(error?.description.contains("\"Ja\" cannot answer with this base model: it is 2 tokens") == true)
        let mixed = [prompts()[0]] + prompts(nil).dropFirst()
        #expect(throws: UnlearningError.self) { try train(Array(mixed), RandomCheckpoint().decoder()) }
        #expect(throws: LanguageModelError.self) { try train(prompts(), LetterModel()) }
        var chat = Self.frame
        chat.chat = ChatMarkers(style: "s", open: "<a>", close: "<b>", controls: ["<b>"])
        #expect(throws: LanguageModelError.unknownControlToken(token: "<b>")) {
            try train(prompts(chat), RandomCheckpoint().decoder())
        }
    }

    @Test("E2URec, IFRU's preparation and its corrections answer in the words of the prompts")
    func corrections() throws {
        let loaded = try Decoder(
            weights: DecoderWeights(checkpoint: RandomCheckpoint(), precision: .f32, answerTokens: (74, 78)), threads: 1
        )
        let usual = try RandomCheckpoint().decoder()
        let (prompts, adapter) = (prompts(), RandomCheckpoint().adapter())
        func preparation(_ model: any AnswerModel) throws -> InfluencePreparation {
            try InfluencePreparation(model: model, tokenizer: ByteTokenizer(), adapter: adapter, prompts: prompts)
        }
        let (one, two) = (try preparation(usual), try preparation(loaded))
        #expect(one.margins == two.margins)
        func corrected(_ model: any AnswerModel, _ preparation: InfluencePreparation) throws -> String {
            try IFRU.unlearn(
                model: model, tokenizer: ByteTokenizer(), adapter: adapter, preparation: preparation,
                request: InfluenceRequest(direct: [prompts[0]]), retained: Array(prompts.dropFirst())
            ).corrected.provenance.result
        }
        #expect(try corrected(usual, one) == corrected(loaded, two))
        var configuration = E2URecConfiguration()
        configuration.forgetEpochs = 1
        func unlearned(_ model: any AnswerModel) throws -> String {
            try E2URec.unlearn(
                model: model, tokenizer: ByteTokenizer(), adapter: adapter, forget: [prompts[0]],
                retained: Array(prompts.dropFirst()), configuration: configuration
            ).student.provenance.result
        }
        #expect(try unlearned(usual) == unlearned(loaded))
    }
}
