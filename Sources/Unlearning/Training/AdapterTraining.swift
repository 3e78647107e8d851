import Compute
import Foundation
import LanguageModels
import Recommendation

/// Trains one LoRA adapter on the prompts of one shard (arXiv 2404.10327, 2305.00447).
///
/// Two-way logistic loss on the margin, mean over the batch; AdamW (arXiv 1711.05101) with linear warm-up, then the rate of
/// the schedule. In each epoch the samples come in the order of a keyed hash of (seed, epoch, sample id), cut into batches;
/// the last batch may be smaller. Of a prompt that is longer than the model's context its end is read. Where prompts are held
/// out, the adapter is that of the epoch after which their loss was smallest.
public enum AdapterTraining {
    /// A pure function of the model, the samples and the specification: not of the order of `samples`.
    ///
    /// - `progress`: called after every optimiser step.
    /// - `isCancelled`: asked before every optimiser step.
    /// - Throws: `UnlearningError.noSamples`, `.emptyPrompt`, `.duplicateSample`, `.notFinite`,
    ///   `.differentWords`, `.cancelled`, `.invalidSpecification`; `LanguageModelError.unusableAnswer`; whatever the model throws.
    public static func train(
        model: any AnswerModel, tokenizer: any Tokenizer, samples: [TrainingPrompt],
        specification: TrainingSpecification, progress: (TrainingProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws -> TrainedAdapter {
        let clock = ContinuousClock()
        let start = clock.now
        try specification.check()
        let model = try model.answering(samples, tokenizer)
        let manifest = ShardManifest(of: samples)
        let all = try tokenized(samples, tokenizer: tokenizer, limit: model.configuration.context)
        let split = specification.split(all.map(\.id))
        let samples = split.trained.map { all[$0] }
        var validation = HeldOutSelection(split.heldOut.map { all[$0] })
        let layout = AdapterLayout(model: model.configuration, configuration: specification.lora)
        let dropout = FeatureDropout(specification)
        var adapter = Adapter.initial(layout: layout, seed: specification.seed)
        var optimiser = AdamW(count: layout.count, weightDecay: Float(specification.weightDecay))
        let tokensOfEpoch = samples.reduce(0) { $0 + $1.tokens.count }
        let steps = stepCount(samples: samples.count, specification: specification)
        var (step, tokens, computing) = (0, 0, Duration.zero)
        var epochLosses: [Double] = []
        for epoch in 0..<specification.epochs {
            let order = order(of: samples.map(\.id), epoch: epoch, seed: specification.seed)
            var epochLoss = 0.0
            for start in stride(from: 0, to: order.count, by: specification.batch) {
                if isCancelled() { throw UnlearningError.cancelled }
                let batch = order[start..<min(start + specification.batch, order.count)].map { samples[$0] }
                let began = clock.now
                step += 1
                var seen = adapter
                dropout?.mask(&seen.values, layout: layout, step: step)
                var result = try model.gradient(prompts: batch.map(\.tokens), adapter: seen) { index, logits in
                    let probability = Metrics.probability(margin: Double(logits.margin))
                    let slope = Float((probability - (batch[index].label ? 1 : 0)) / Double(batch.count))
                    return AnswerLogits(yes: slope, no: -slope)
                }
                dropout?.mask(&result.gradient, layout: layout, step: step)
                optimiser.step(
                    &adapter.values, gradient: result.gradient,
                    learningRate: specification.learningRate(step: step, of: steps))
                computing += clock.now - began
                let sum = zip(result.logits, batch).reduce(0) { $0 + loss(margin: $1.0.margin, label: $1.1.label) }
                guard sum.isFinite else { throw UnlearningError.notFinite(what: "the loss of step \(step)") }
                epochLoss += sum
                tokens += batch.reduce(0) { $0 + $1.tokens.count }
                progress(
                    TrainingProgress(
                        step: step, steps: steps, epoch: epoch, loss: sum / Double(batch.count), tokens: tokens,
                        totalTokens: tokensOfEpoch * specification.epochs))
            }
            epochLosses.append(epochLoss / Double(samples.count))
            try validation?.judge(adapter, model: model, isCancelled: isCancelled)
        }
        if let best = validation?.best { adapter = best }
        guard adapter.values.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the adapter after step \(step)")
        }
        let name = adapter.contentName
        return TrainedAdapter(
            adapter: adapter,
            report: TrainingReport(
                adapter: name, manifest: manifest.digest, prompts: all.count, specification: specification,
                steps: step, tokens: tokens, seconds: (clock.now - start) / .seconds(1),
                computeSeconds: computing / .seconds(1), epochLosses: epochLosses, heldOut: validation?.report))
    }

    /// Optimiser steps that a training on so many prompts, besides those held out, will take.
    public static func stepCount(samples: Int, specification: TrainingSpecification) -> Int {
        specification.epochs * ((samples + specification.batch - 1) / specification.batch)
    }

    /// The order of an epoch: positions in `ids`, by the keyed hash, equal hashes by id.
    package static func order(of ids: [String], epoch: Int, seed: UInt64) -> [Int] {
        let keys = ids.map { FieldHash.number(["order", String(seed), String(epoch), $0]) }
        return ids.indices.sorted { (keys[$0], ids[$0]) < (keys[$1], ids[$1]) }
    }

    /// −log of the probability of the right answer, without a bound: a margin that is not a number must show.
    static func loss(margin: Float, label: Bool) -> Double {
        let signed = Double(label ? margin : -margin)
        return max(-signed, 0) + log1p(exp(-abs(signed)))
    }

    struct Sample {
        var id: String
        var tokens: [Int32]
        var label: Bool
    }

    /// Sorted by id.
    private static func tokenized(
        _ samples: [TrainingPrompt], tokenizer: any Tokenizer, limit: Int
    ) throws -> [Sample] {
        guard !samples.isEmpty else { throw UnlearningError.noSamples }
        let sorted = samples.sorted { $0.id < $1.id }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.id == next.id {
            throw UnlearningError.duplicateSample(id: one.id)
        }
        return try sorted.map { prompt in
            let tokens = try tokenizer.encode(prompt, context: limit)
            guard !tokens.isEmpty else { throw UnlearningError.emptyPrompt(sample: prompt.id) }
            return Sample(id: prompt.id, tokens: tokens, label: prompt.label)
        }
    }
}

extension TrainingSpecification {
    /// The rate of a step of `steps`, counted from 1: rises linearly over the warm-up steps, then follows the schedule.
    package func learningRate(step: Int, of steps: Int) -> Float {
        guard step >= warmupSteps else { return Float(learningRate * Double(step) / Double(warmupSteps)) }
        switch schedule {
        case .constant: return Float(learningRate)
        case .linear:
            let first = max(warmupSteps, 1)
            return Float(learningRate * Double(steps - step + 1) / Double(max(steps - first + 1, 1)))
        }
    }

    /// - Throws: `UnlearningError.invalidSpecification`.
    public func check() throws {
        let problems: [(Bool, String)] = [
            (Self.rankBounds.contains(lora.rank), "the rank must be \(Self.rankBounds.inWords)"),
            (Self.alphaBounds.contains(abs(lora.alpha)), "alpha must be \(Self.alphaBounds.inWords)"),
            (!lora.targets.isEmpty, "at least one linear layer must be adapted"),
            (Self.epochBounds.contains(epochs), "the epochs must be \(Self.epochBounds.inWords)"),
            (Self.batchBounds.contains(batch), "a batch must be \(Self.batchBounds.inWords) prompts"),
            (
                Self.learningRateBounds.contains(learningRate),
                "the learning rate must be \(Self.learningRateBounds.inWords)"
            ),
            (
                Self.warmupBounds.contains(warmupSteps),
                "the steps of the warm-up must be \(Self.warmupBounds.inWords)"
            ),
            (
                Self.weightDecayBounds.contains(weightDecay),
                "the weight decay must be \(Self.weightDecayBounds.inWords)"
            ),
            (Self.dropoutBounds.contains(dropout), "the dropout must be \(Self.dropoutBounds.inWords)"),
            (Self.heldOutBounds.contains(heldOut), "the share held out must be \(Self.heldOutBounds.inWords)"),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
