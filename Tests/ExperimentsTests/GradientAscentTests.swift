import Experiments
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Gradient ascent")
struct GradientAscentTests {
    private func unlearn(_ change: (inout GradientAscentConfiguration) -> Void = { _ in }) throws
        -> (before: Adapter, forget: [TrainingPrompt], result: GradientAscent.Result)
    {
        let prompts = letterPrompts(40)
        let adapter = try LetterShop.train(prompts)
        var configuration = GradientAscentConfiguration(batch: 4)
        change(&configuration)
        let forget = Array(prompts.prefix(12))
        let result = try GradientAscent.unlearn(
            model: LetterModel(), tokenizer: ByteTokenizer(), adapter: adapter, forget: forget,
            retained: Array(prompts.dropFirst(12)), configuration: configuration)
        return (adapter, forget, result)
    }

    private func loss(_ prompts: [TrainingPrompt], _ adapter: Adapter) throws -> Double {
        let margins = try LetterShop.margins(prompts, adapter)
        return zip(margins, prompts).reduce(0) { $0 + Metrics.logLoss(margin: Double($1.0), label: $1.1.label) }
    }

    @Test("The loss of the forgotten prompts rises, within the cap")
    func rises() throws {
        let (before, forget, result) = try unlearn()
        let (lossAfter, lossBefore) = (try loss(forget, result.adapter), try loss(forget, before))
        #expect(lossAfter > lossBefore)
        #expect(result.divergence > 0 && result.divergence <= 0.1 && !result.isCapped)
        #expect(result.cost.steps == 3 && result.cost.trainedTokens > 0 && result.cost.scoredTokens > 0)
    }

    @Test("A huge rate cannot blow it up: the cap ends it")
    func capped() throws {
        let (_, _, result) = try unlearn {
            $0.learningRate = 100
            $0.epochs = 50
        }
        #expect(result.isCapped && result.divergence <= 0.1 && result.cost.steps < 8)
        #expect(result.adapter.values.allSatisfy { $0.isFinite })
        #expect(throws: UnlearningError.self) { try unlearn { $0.learningRate = 1e30 } }
    }

    @Test("Nothing to forget, nothing retained and broken numbers are refused")
    func refused() throws {
        let prompts = letterPrompts(8)
        let adapter = try LetterShop.train(prompts)
        func run(_ forget: [TrainingPrompt], _ retained: [TrainingPrompt], _ model: LetterModel) throws {
            _ = try GradientAscent.unlearn(
                model: model, tokenizer: ByteTokenizer(), adapter: adapter, forget: forget, retained: retained)
        }
        #expect(throws: ApproximateError.emptyForgetSet) { try run([], prompts, LetterModel()) }
        #expect(throws: ApproximateError.emptyRetainedSet) { try run(prompts, [], LetterModel()) }
        let broken = LetterModel()
        broken.brokenMarginsAfter = 0
        #expect(throws: UnlearningError.self) { try run([prompts[0]], Array(prompts.dropFirst()), broken) }
    }
}
