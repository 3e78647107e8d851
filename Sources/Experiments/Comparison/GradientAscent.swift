import Compute
import LanguageModels
import Recommendation
import Unlearning

/// Forgets by going up: a few optimiser steps that make the loss of the forgotten prompts larger (NegGrad among the
/// baselines of arXiv 2403.03536). A baseline for comparisons; nothing is served that it made.
///
/// The loss has no upper bound, so that without a brake the model is ruined. After every step the answers to some retained
/// prompts are compared with those of the original; the step that takes their mean KL divergence over the cap is halved
/// until it does not, and is the last. In a comparison the forget set is that of all methods, with the old versions of rebuilt
/// prompts, whose labels stay true: their new versions are among the retained ones.
public enum GradientAscent {
    public struct Result: Sendable {
        public var adapter: Adapter
        public var cost: PhaseCost
        /// Of the probes, in nats.
        public var divergence: Double
        /// Whether the cap ended it.
        public var isCapped: Bool
    }

    /// A pure function of its arguments; in any order.
    ///
    /// - `isCancelled`: asked before every optimiser step.
    /// - Throws: `ApproximateError.emptyForgetSet`, `.emptyRetainedSet`; `UnlearningError.invalidSpecification`,
    ///   `.duplicateSample`, `.emptyPrompt`, `.notFinite`, `.cancelled`; whatever the model throws.
    public static func unlearn(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter original: Adapter, forget: [TrainingPrompt],
        retained: [TrainingPrompt], configuration: GradientAscentConfiguration = GradientAscentConfiguration(),
        isCancelled: () -> Bool = { false }
    ) throws -> Result {
        try configuration.check()
        guard !forget.isEmpty else { throw ApproximateError.emptyForgetSet }
        guard !retained.isEmpty else { throw ApproximateError.emptyRetainedSet }
        let began = ContinuousClock.now
        let forgotten = try TokenizedPrompt.all(forget, tokenizer: tokenizer, limit: model.configuration.context)
        let brake = try DivergenceBrake(
            model: model, tokenizer: tokenizer, original: original, retained: retained, configuration: configuration)
        return try descend(
            model: model, from: original, batches: batches(forgotten, configuration), brake: brake,
            learningRate: configuration.learningRate, began: began, isCancelled: isCancelled
        ) { batch, index, margin in
            // Down the negated loss.
            ((batch[index].label ? 1 : 0) - Metrics.probability(margin: margin)) / Double(batch.count)
        }
    }

    /// Optimiser steps under the brake, one for each batch; the one that the brake holds back is the last.
    ///
    /// - `slope`: ∂loss/∂margin of a prompt of a batch, at the margin that it has.
    static func descend(
        model: any AnswerModel, from original: Adapter, batches: [[TokenizedPrompt]], brake: DivergenceBrake,
        learningRate: Double, began: ContinuousClock.Instant, isCancelled: () -> Bool,
        slope: (_ batch: [TokenizedPrompt], _ index: Int, _ margin: Double) -> Double
    ) throws -> Result {
        var brake = brake
        var cost = PhaseCost()
        var values = original.values
        var (reached, isCapped) = (0.0, false)
        var optimiser = AdamW(count: values.count)
        for batch in batches where !isCapped {
            if isCancelled() { throw UnlearningError.cancelled }
            let current = Adapter(layout: original.layout, values: values)
            let result = try model.gradient(prompts: batch.map(\.tokens), adapter: current) { index, logits in
                let slope = Float(slope(batch, index, Double(logits.margin)))
                return AnswerLogits(yes: slope, no: -slope)
            }
            var wanted = values
            optimiser.step(&wanted, gradient: result.gradient, learningRate: Float(learningRate))
            cost.steps += 1
            cost.trainedTokens += batch.tokenCount
            let step = try brake.step(from: values, to: wanted)
            if let taken = step.values { (values, reached) = (taken, step.divergence) }
            isCapped = step.isCapped
        }
        let result = Adapter(layout: original.layout, values: values)
        try result.checkFinite()
        cost.scoredTokens = brake.scoredTokens
        cost.seconds = (ContinuousClock.now - began) / .seconds(1)
        return Result(adapter: result, cost: cost, divergence: reached, isCapped: isCapped)
    }

    static func batches(
        _ prompts: [TokenizedPrompt], _ configuration: GradientAscentConfiguration
    ) -> [[TokenizedPrompt]] {
        let all = (0..<configuration.epochs).lazy.flatMap { epoch in
            let order = AdapterTraining.order(of: prompts.map(\.id), epoch: epoch, seed: configuration.seed)
            return stride(from: 0, to: order.count, by: configuration.batch).map { start in
                order[start..<min(start + configuration.batch, order.count)].map { prompts[$0] }
            }
        }
        return Array(all.prefix(configuration.steps))
    }
}
