import LanguageModels
import Recommendation
import Unlearning

/// Forgets by teachers: the answers to forgotten prompts move by one aim, while those to retained prompts are held at the
/// original's (two baselines of arXiv 2403.03536, and NPO, arXiv 2404.05868). Baselines for comparisons; nothing is served that they made.
///
/// A two-way answer has one degree of freedom, its margin, so that every loss here is one of margins. Each step takes a batch
/// of forgotten prompts and as many retained ones, and the loss is the sum of both means. The brake is that of gradient ascent:
/// they differ in their aim only. As there, only prompts whose target is forgotten count as forgotten.
public enum TeacherForgetting {
    public enum Aim: Hashable, Sendable {
        /// NegKL: away from the original's answers, up KL(original ‖ student). Where the student still is the original this
        /// has no slope, and nothing would ever move; the first step is therefore one of gradient ascent.
        case away
        /// Bad-T (arXiv 2205.08096): towards an incompetent teacher, one that was never trained on the task, down
        /// KL(teacher ‖ student). The paper's has random weights; here it is the base model without an adapter, which is what
        /// the student was before its first step.
        case incompetentTeacher
        /// NPO (arXiv 2404.05868, equation 3): the data's answer is the worse one of a pair without a better one. Its slope is that
        /// of gradient ascent times 2·p^β/(p^β + p₀^β), p being the probability of the answer now and p₀ the original's: 1 at the
        /// first step, and the less the further the answer has gone.
        case dispreferred
    }

    /// A pure function of its arguments; in any order.
    ///
    /// - `isCancelled`: asked before every optimiser step.
    /// - Throws: as `GradientAscent.unlearn`.
    public static func unlearn(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter original: Adapter, forget: [TrainingPrompt],
        retained: [TrainingPrompt], aim: Aim,
        configuration: GradientAscentConfiguration = GradientAscentConfiguration(),
        isCancelled: () -> Bool = { false }
    ) throws -> GradientAscent.Result {
        try configuration.check()
        guard !forget.isEmpty else { throw ApproximateError.emptyForgetSet }
        guard !retained.isEmpty else { throw ApproximateError.emptyRetainedSet }
        let began = ContinuousClock.now
        let limit = model.configuration.context
        let forgotten = try TokenizedPrompt.all(forget, tokenizer: tokenizer, limit: limit)
        let kept = try TokenizedPrompt.all(retained, tokenizer: tokenizer, limit: limit)
        let steps = steps(forgotten, kept, configuration)
        var lessons = Lessons(model: model, original: original)
        for step in steps { try lessons.prepare(step, aim) }
        let brake = try DivergenceBrake(
            model: model, tokenizer: tokenizer, original: original, retained: retained, configuration: configuration)
        var position = -1
        var result = try GradientAscent.descend(
            model: model, from: original, batches: steps.map { $0.forgotten + $0.retained }, brake: brake,
            learningRate: configuration.learningRate, began: began, isCancelled: isCancelled
        ) { batch, index, margin in
            // Every batch begins with its first prompt.
            if index == 0 { position += 1 }
            let forgotten = steps[position].forgotten.count
            let isForgotten = index < forgotten
            let slope = lessons.slope(of: batch[index], isForgotten, aim, margin: margin, isFirst: position == 0)
            return slope / Double(isForgotten ? forgotten : batch.count - forgotten)
        }
        result.cost.scoredTokens += lessons.scoredTokens
        return result
    }

    private typealias Step = (forgotten: [TokenizedPrompt], retained: [TokenizedPrompt])

    /// Each batch of forgotten prompts with as many retained ones, in the order of a keyed hash and from the beginning again
    /// where there are fewer.
    private static func steps(
        _ forgotten: [TokenizedPrompt], _ retained: [TokenizedPrompt], _ configuration: GradientAscentConfiguration
    ) -> [Step] {
        let order = AdapterTraining.order(of: retained.map(\.id), epoch: 0, seed: configuration.seed)
        var next = 0
        return GradientAscent.batches(forgotten, configuration).map { batch in
            let count = min(batch.count, retained.count)
            let chosen = (0..<count).map { retained[order[(next + $0) % order.count]] }
            next += count
            return (batch, chosen)
        }
    }

    /// What the teachers answer, each prompt once.
    private struct Lessons {
        let model: any AnswerModel
        let original: Adapter
        /// Margins of the teacher that holds, by digest: the original's.
        private var held: [String: Double] = [:]
        /// Margins of the teacher for forgotten prompts.
        private var taught: [String: Double] = [:]
        private(set) var scoredTokens = 0

        init(model: any AnswerModel, original: Adapter) {
            self.model = model
            self.original = original
        }

        mutating func prepare(_ step: Step, _ aim: Aim) throws {
            let mixture = AdapterMixture([original])
            for (prompt, margin) in try score(step.retained.filter { held[$0.digest] == nil }, mixture) {
                held[prompt.digest] = margin
            }
            let teacher: AdapterMixture? = aim == .incompetentTeacher ? nil : mixture
            for (prompt, margin) in try score(step.forgotten.filter { taught[$0.digest] == nil }, teacher) {
                taught[prompt.digest] = margin
            }
        }

        private mutating func score(
            _ prompts: [TokenizedPrompt], _ teacher: AdapterMixture?
        ) throws -> [(TokenizedPrompt, Double)] {
            guard !prompts.isEmpty else { return [] }
            scoredTokens += prompts.tokenCount
            let margins = try model.answerLogits(prompts: prompts.map(\.tokens), adapters: teacher, weights: nil)
                .map { Double($0.margin) }
            guard margins.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "a teacher's answer") }
            return Array(zip(prompts, margins))
        }

        func slope(
            of prompt: TokenizedPrompt, _ isForgotten: Bool, _ aim: Aim, margin: Double, isFirst: Bool
        ) -> Double {
            guard isForgotten else {
                return TeacherLosses.towards(student: margin, teacher: held[prompt.digest] ?? margin).slope
            }
            let teacher = taught[prompt.digest] ?? margin
            switch aim {
            case .away where isFirst: return TeacherLosses.ascent(student: margin, label: prompt.label).slope
            case .away: return TeacherLosses.away(student: margin, teacher: teacher).slope
            case .incompetentTeacher: return TeacherLosses.towards(student: margin, teacher: teacher).slope
            case .dispreferred:
                return TeacherLosses.dispreferred(student: margin, teacher: teacher, label: prompt.label).slope
            }
        }
    }
}

/// Losses on margins, each with its slope.
package enum TeacherLosses {
    package struct Value: Hashable, Sendable {
        /// In nats.
        package var loss: Double
        /// ∂loss/∂margin of the student.
        package var slope: Double
    }

    /// KL(teacher ‖ student).
    package static func towards(student: Double, teacher: Double) -> Value {
        let value = E2URecLosses.forget(student: student, teacher: teacher)
        return Value(loss: value.loss, slope: value.slope)
    }

    /// −KL(teacher ‖ student).
    package static func away(student: Double, teacher: Double) -> Value {
        let value = towards(student: student, teacher: teacher)
        return Value(loss: -value.loss, slope: -value.slope)
    }

    /// β of the paper's experiments.
    static let inverseTemperature = 0.1

    /// −(2/β)·log σ(−β·log(p/p₀)): p, p₀ of the label by student and teacher.
    package static func dispreferred(student: Double, teacher: Double, label: Bool) -> Value {
        let (beta, sign) = (inverseTemperature, label ? 1.0 : -1.0)
        let ratio =
            AnswerDivergence.logProbability(margin: sign * student)
            - AnswerDivergence.logProbability(margin: sign * teacher)
        return Value(
            loss: -2 / beta * AnswerDivergence.logProbability(margin: -beta * ratio),
            slope: 2 * Metrics.probability(margin: beta * ratio) * sign * Metrics.probability(margin: -sign * student))
    }

    /// The label's log-loss, negated.
    package static func ascent(student: Double, label: Bool) -> Value {
        Value(
            loss: AnswerDivergence.logProbability(margin: label ? student : -student),
            slope: (label ? 1 : 0) - Metrics.probability(margin: student))
    }
}
