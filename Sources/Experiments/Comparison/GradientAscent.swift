import Compute
import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// Forgets by going up: a few optimiser steps that make the loss of the forgotten prompts larger (NegGrad among the
/// baselines of arXiv 2403.03536). A baseline for comparisons; nothing is served that it made.
///
/// The loss has no upper bound, so that without a brake the model is ruined. After every step the answers to some retained
/// prompts are compared with those of the original; the step that takes their mean KL divergence over the cap is halved
/// until it does not, and is the last. Only prompts whose target is forgotten are ascended on: the labels of rebuilt ones
/// stay true.
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
        let limit = model.configuration.context
        let began = ContinuousClock.now
        let forgotten = try TokenizedPrompt.all(forget, tokenizer: tokenizer, limit: limit)
        let probes = try probes(retained, configuration).map {
            try TokenizedPrompt($0, tokenizer: tokenizer, limit: limit)
        }
        var cost = PhaseCost()
        func margins(_ values: [Float]) throws -> [Double] {
            cost.scoredTokens += probes.tokenCount
            let moved = Adapter(layout: original.layout, values: values)
            return try model.answerLogits(
                prompts: probes.map(\.tokens), adapters: AdapterMixture([moved]), weights: nil
            ).map { Double($0.margin) }
        }
        let before = try margins(original.values)
        guard before.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the original's answers") }
        /// Infinite when anything is not a number.
        func divergence(_ values: [Float]) throws -> Double {
            guard values.allSatisfy(\.isFinite) else { return .infinity }
            let after = try margins(values)
            let mean =
                zip(before, after).reduce(0) { $0 + AnswerDivergence.kullbackLeibler($1.0, $1.1) }
                / Double(before.count)
            return mean.isFinite ? mean : .infinity
        }
        var values = original.values
        var reached = 0.0
        var isCapped = false
        var optimiser = AdamW(count: values.count)
        for batch in batches(forgotten, configuration) {
            if isCancelled() { throw UnlearningError.cancelled }
            let current = Adapter(layout: original.layout, values: values)
            let result = try model.gradient(prompts: batch.map(\.tokens), adapter: current) { index, logits in
                let probability = Metrics.probability(margin: Double(logits.margin))
                // Down the negated loss.
                let slope = Float(((batch[index].label ? 1 : 0) - probability) / Double(batch.count))
                return AnswerLogits(yes: slope, no: -slope)
            }
            var moved = values
            optimiser.step(&moved, gradient: result.gradient, learningRate: Float(configuration.learningRate))
            cost.steps += 1
            cost.trainedTokens += batch.tokenCount
            var distance = try divergence(moved)
            for _ in 0..<10 where distance > configuration.divergenceCap {
                isCapped = true
                moved = zip(values, moved).map { ($0 + $1) / 2 }
                distance = try divergence(moved)
            }
            if distance <= configuration.divergenceCap { (values, reached) = (moved, distance) }
            if isCapped { break }
        }
        let result = Adapter(layout: original.layout, values: values)
        try result.checkFinite()
        cost.seconds = (ContinuousClock.now - began) / .seconds(1)
        return Result(adapter: result, cost: cost, divergence: reached, isCapped: isCapped)
    }

    private static func probes(
        _ retained: [TrainingPrompt], _ configuration: GradientAscentConfiguration
    ) -> [TrainingPrompt] {
        let keyed = retained.map { (FieldHash.number(["ascent probe", String(configuration.seed), $0.id]), $0) }
        return keyed.sorted { ($0.0, $0.1.id) < ($1.0, $1.1.id) }.prefix(configuration.probes).map(\.1)
    }

    private static func batches(
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
