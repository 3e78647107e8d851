import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Forgetting by E2URec")
struct E2URecTests {
    private static let lora = LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value])
    private static let specification = TrainingSpecification(
        base: "base", precision: .f32, lora: lora, seed: 3, epochs: 12, batch: 16, learningRate: 0.005)
    private static let configuration = E2URecConfiguration(
        alpha: 2, augmentedEpochs: 1, augmentedLearningRate: 0.02, forgetEpochs: 1, pairEpochs: 2, batch: 8,
        learningRate: 0.01)

    /// People who say the opposite of everybody else.
    private static let forget = letterPrompts(16, seed: 7).enumerated().map { index, prompt in
        TrainingPrompt(
            id: "forgotten \(index)", instruction: prompt.instruction, input: prompt.input + "e", label: !prompt.label)
    }
    private static let retained = letterPrompts(64)

    private static func train(_ samples: [TrainingPrompt], epochs: Int = 12) throws -> Adapter {
        var specification = specification
        specification.epochs = epochs
        return try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: samples, specification: specification
        ).adapter
    }

    private static func margins(_ prompts: [TrainingPrompt], _ adapter: Adapter) throws -> [Float] {
        try LetterModel().answerLogits(
            prompts: prompts.map { ByteTokenizer().encode($0.text) }, adapters: AdapterMixture([adapter]), weights: nil
        ).map(\.margin)
    }

    private static func unlearn(
        _ adapter: Adapter, forget: [TrainingPrompt] = forget, retained: [TrainingPrompt] = retained,
        configuration: E2URecConfiguration = configuration, model: LetterModel = LetterModel(),
        provenance: AdapterProvenance = .trained, progress: (E2URecProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws -> E2URec.Result {
        try E2URec.unlearn(
            model: model, tokenizer: ByteTokenizer(), adapter: adapter, provenance: provenance, forget: forget,
            retained: retained, configuration: configuration, progress: progress, isCancelled: isCancelled)
    }

    @Test("The student is closer to the retrained model on the forget set, and keeps what it is to keep")
    func forgets() throws {
        let original = try Self.train(Self.forget + Self.retained)
        let reference = try Self.margins(Self.forget, Self.train(Self.retained))
        let result = try Self.unlearn(original)
        let before = DivergenceSummary(margins: try Self.margins(Self.forget, original), reference: reference)
        let after = DivergenceSummary(
            margins: try Self.margins(Self.forget, result.student.adapter), reference: reference)
        #expect(try #require(after.jensenShannon) < 0.5 * #require(before.jensenShannon))
        #expect(try #require(after.euclidean) < #require(before.euclidean))
        let kept = Metrics(
            margins: try Self.margins(Self.retained, result.student.adapter), labels: Self.retained.map(\.label))
        #expect(try #require(kept.auc) > 0.99)
    }

    @Test("Of itself the teacher knows how often labels say yes, and the student follows until it is there")
    func adapts() throws {
        let original = try Self.train(Self.forget + Self.retained)
        var configuration = Self.configuration
        (configuration.alpha, configuration.forgetEpochs) = (nil, 40)
        let result = try Self.unlearn(original, configuration: configuration)
        let report = result.report
        let prior = log(Double(Self.retained.count { $0.label } + 1) / Double(Self.retained.count { !$0.label } + 1))
        let margins = try Self.margins(Self.forget, original)
        let losses = zip(Self.forget, margins).map { prompt, margin in
            let sign = prompt.label ? 1.0 : -1
            return log1p(exp(-min(sign * Double(margin), sign * prior)))
        }
        let expected = losses.reduce(0, +) / Double(losses.count)
        #expect(abs(try #require(report.teacherLoss) - expected) < 1e-6)
        #expect(report.augmenting == PhaseCost() && report.forgetLosses.count < 40)
        let reference = try Self.margins(Self.forget, Self.train(Self.retained))
        let before = DivergenceSummary(margins: margins, reference: reference)
        let after = DivergenceSummary(
            margins: try Self.margins(Self.forget, result.student.adapter), reference: reference)
        #expect(try #require(after.jensenShannon) < #require(before.jensenShannon))
        // Where there is nothing to unlearn, nothing is unlearnt: the original is its own teacher.
        let innocent = try Self.train(Self.retained)
        let own = try Self.margins(Self.forget, innocent)
        let student = try Self.margins(
            Self.forget, Self.unlearn(innocent, configuration: configuration).student.adapter)
        let moved = try #require(DivergenceSummary(margins: student, reference: own).jensenShannon)
        #expect(try moved < 0.1 * #require(before.jensenShannon))
    }

    @Test("The result says that it is approximate, of which adapter and how often corrected")
    func provenance() throws {
        let original = try Self.train(Self.forget + Self.retained)
        let first = try Self.unlearn(original).student
        #expect(first.provenance.method == .e2urec)
        #expect(first.provenance.original == original.contentName)
        #expect(first.provenance.result == first.adapter.contentName)
        #expect(first.provenance.corrections == 1 && first.provenance.forgotten == 16)
        #expect(first.adapter.layout == original.layout && first.adapter != original)
        let second = try Self.unlearn(first.adapter, provenance: .approximate(first.provenance)).student
        #expect(second.provenance.corrections == 2)
        #expect(AdapterProvenance.approximate(second.provenance).isApproximate)
        #expect(!AdapterProvenance.trained.isApproximate)
    }

    @Test("It is a function of prompts, adapter and configuration; not of order or progress")
    func purity() throws {
        let original = try Self.train(Self.forget + Self.retained)
        let first = try Self.unlearn(original).student.adapter
        var random = SeededGenerator(seed: 8)
        let again = try Self.unlearn(
            original, forget: Self.forget.shuffled(using: &random), retained: Self.retained.shuffled(using: &random))
        #expect(again.student.adapter == first)
        var other = Self.configuration
        other.seed = 1
        #expect(try Self.unlearn(original, configuration: other).student.adapter != first)
        other = Self.configuration
        other.beta = 0.9
        #expect(try Self.unlearn(original, configuration: other).student.adapter != first)
    }

    @Test("First the forget set alone, then pairs of a forget and a retained batch; every phase is counted")
    func phases() throws {
        let original = try Self.train(Self.forget + Self.retained)
        let model = LetterModel()
        var seen: [E2URecProgress] = []
        let report = try Self.unlearn(original, model: model, progress: { seen.append($0) }).report
        #expect(
            seen.map(\.phase)
                == [.augmenting, .augmenting, .forgetting, .forgetting, .pairing, .pairing, .pairing, .pairing])
        #expect(seen.map(\.step) == Array(1...8) && seen.allSatisfy { $0.steps == 8 && $0.loss.isFinite })
        // Two answers of the forget set, one of the retained prompts that will be seen.
        let forgotten = Set(Self.forget.map { ByteTokenizer().encode($0.text) })
        #expect(model.asked.prefix(4).map(\.count) == [8, 8, 16, 16])
        #expect(model.asked.suffix(6).map(\.count) == [8, 8, 16, 16, 16, 16])
        #expect(model.asked.count == 11)
        #expect(Set(model.asked[4]) == Set(model.asked.suffix(4).joined()).subtracting(forgotten))
        for pair in model.asked.suffix(4) {
            #expect(pair.count == 16)
            #expect(pair.prefix(8).allSatisfy { forgotten.contains($0) })
            #expect(!pair.suffix(8).contains { forgotten.contains($0) })
        }
        let tokens = Self.forget.reduce(0) { $0 + $1.text.utf8.count }
        #expect(report.augmenting.trainedTokens == tokens && report.forgetting.trainedTokens == tokens)
        #expect(report.pairing.trainedTokens == model.asked.suffix(4).joined().reduce(0) { $0 + $1.count })
        #expect(report.teaching.scoredTokens > 2 * tokens)
        #expect(report.total.steps == 8)
        #expect(report.forgetLosses.count == 1 && report.pairLosses.count == 2)
        #expect(report.parameters == original.layout.count)
    }

    @Test("The first step of the student teaches what the losses say")
    func slopes() throws {
        let original = try Self.train(Self.forget + Self.retained)
        var configuration = Self.configuration
        configuration.forgetEpochs = 0
        configuration.pairEpochs = 1
        let model = LetterModel()
        _ = try Self.unlearn(original, configuration: configuration, model: model)
        let slopes = try #require(model.slopes.dropLast().last)
        // The student still is the original, so that of the remembering loss only the cross-entropy is left.
        let tokens = try #require(model.asked.dropLast().last)
        let labels = Dictionary(
            (Self.forget + Self.retained).map { (ByteTokenizer().encode($0.text), $0.label) }, uniquingKeysWith: { $1 })
        let margins = try LetterModel().answerLogits(
            prompts: tokens, adapters: AdapterMixture([original]), weights: nil
        ).map { Double($0.margin) }
        for index in 8..<16 {
            let label = try #require(labels[tokens[index]] as Bool?)
            let value = E2URecLosses.remember(student: margins[index], original: margins[index], label: label)
            #expect(abs(Double(slopes[index].yes) - 0.6 / 8 * value.slope) < 1e-6)
            #expect(slopes[index].no == -slopes[index].yes)
        }
        // The augmented model learnt the labels further, so that the teacher pulls away from them.
        for index in 0..<8 { #expect((slopes[index].yes > 0) == labels[tokens[index]]) }
    }

    @Test("A cancelled forgetting stops before its next step")
    func cancellation() throws {
        let original = try Self.train(Self.forget + Self.retained)
        for stop in [0, 2, 5] {
            var steps = 0
            #expect(throws: UnlearningError.cancelled) {
                try Self.unlearn(original, progress: { _ in steps += 1 }, isCancelled: { steps == stop })
            }
            #expect(steps == stop)
        }
    }

    @Test("What is not made of numbers is never returned")
    func notFinite() throws {
        let original = try Self.train(Self.forget + Self.retained)
        let margins = LetterModel()
        margins.brokenMarginsAfter = 1
        #expect(throws: UnlearningError.notFinite(what: "the loss of step 2")) {
            try Self.unlearn(original, model: margins)
        }
        let gradients = LetterModel()
        gradients.brokenGradientsAfter = 10
        #expect(throws: UnlearningError.notFinite(what: "the adapter after step 8")) {
            try Self.unlearn(original, model: gradients)
        }
        var broken = original
        broken.values[3] = .nan
        #expect(throws: LanguageModelError.self) { try Self.unlearn(broken) }
    }

    @Test("Impossible sets are refused by name")
    func sets() throws {
        let original = try Self.train(Self.retained)
        #expect(throws: ApproximateError.emptyForgetSet) { try Self.unlearn(original, forget: []) }
        #expect(throws: ApproximateError.emptyRetainedSet) { try Self.unlearn(original, retained: []) }
        #expect(throws: ApproximateError.forgetSetLargerThanRetained(forget: 16, retained: 15)) {
            try Self.unlearn(original, retained: Array(Self.retained.prefix(15)))
        }
        #expect(throws: ApproximateError.forgottenAndRetained(id: "forgotten 3")) {
            try Self.unlearn(original, retained: Self.retained + [Self.forget[3]])
        }
        #expect(throws: UnlearningError.duplicateSample(id: "prompt 7")) {
            try Self.unlearn(original, retained: Self.retained + [Self.retained[7]])
        }
        // The old and the new version of a rebuilt prompt have one id and two texts.
        var rebuilt = Self.forget[0]
        rebuilt.input = "AC"
        #expect(try Self.unlearn(original, retained: Self.retained + [rebuilt]).report.retained == 65)
    }

    @Test(
        "An impossible configuration is refused",
        arguments: [
            E2URecConfiguration(beta: 1.1), E2URecConfiguration(beta: .nan), E2URecConfiguration(alpha: -1),
            E2URecConfiguration(augmentedEpochs: 0), E2URecConfiguration(forgetEpochs: 0, pairEpochs: 0),
            E2URecConfiguration(forgetEpochs: -1), E2URecConfiguration(batch: 0),
            E2URecConfiguration(learningRate: 0), E2URecConfiguration(augmentedLearningRate: .infinity),
            E2URecConfiguration(weightDecay: -1),
        ])
    func configurations(configuration: E2URecConfiguration) throws {
        let original = try Self.train(Self.retained)
        #expect(
            performing: { try Self.unlearn(original, configuration: configuration) },
            throws: {
                guard case .invalidSpecification = $0 as? UnlearningError else { return false }
                return true
            })
    }
}
