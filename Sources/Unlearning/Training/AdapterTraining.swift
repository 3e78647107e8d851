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
///
/// With several slices (`SliceDealing`) all epochs of one come before the next one begins. Adapter, moments and steps go on
/// from slice to slice, so that what there is after slice s, a stage, is a function of slices 1…s and the specification; a
/// training that begins at a stage, or at a checkpoint in the middle of a slice, ends with the same bytes. Where steps are
/// averaged (`WeightAveraging`), the optimiser goes on from the last parameters and the mean is the adapter.
public enum AdapterTraining {
    /// A pure function of the model, the samples and the specification: not of the order of `samples`, nor of the stage that
    /// it begins at.
    ///
    /// - `stages`: there are stages where there are several slices, and checkpoints where no prompts are held out.
    /// - `progress`: called after every optimiser step; counts what is trained here.
    /// - `isCancelled`: asked before every optimiser step.
    /// - Throws: `UnlearningError.noSamples`, `.emptyPrompt`, `.duplicateSample`, `.notFinite`,
    ///   `.differentWords`, `.cancelled`, `.invalidSpecification`, `.noSuchSlice`, `.noSuchTraining`, `.foreignStage`;
    ///   `LanguageModelError.unusableAnswer`; whatever the model throws.
    public static func train(
        model: any AnswerModel, tokenizer: any Tokenizer, samples: [TrainingPrompt],
        specification: TrainingSpecification, stages: StageKeeping? = nil,
        progress: (TrainingProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> TrainedAdapter {
        let clock = ContinuousClock()
        let start = clock.now
        try specification.check()
        let model = try model.answering(samples, tokenizer)
        let manifest = ShardManifest(of: samples)
        let all = try tokenized(samples, tokenizer: tokenizer, limit: model.configuration.context)
        let split = specification.split(all.map(\.id))
        let slices = try sliced(split.trained.map { all[$0] }, of: samples, specification)
        let names = try stages.map { try Self.names(samples, specification, arithmetic: $0.arithmetic) }
        let layout = AdapterLayout(model: model.configuration, configuration: specification.lora)
        var state = TrainingState(
            initial: Adapter.initial(layout: layout, seed: specification.seed), specification: specification)
        var (first, done) = (1, 0)
        if let stage = stages?.first {
            guard let taken = names?.stepsTaken(by: stage, layout), hasTokens(stage, slices, specification)
            else { throw UnlearningError.foreignStage(name: stage.name) }
            (state, first, done) = (stage.state, stage.isCheckpoint ? stage.slice : stage.slice + 1, taken)
        }
        let last = stages?.last ?? specification.slices
        guard (first...specification.slices).contains(last), specification.heldOut == 0 || last == specification.slices
        else { throw UnlearningError.noSuchTraining(first: first, last: last, slices: specification.slices) }
        if let answering = stages?.answering, names?.stepsTaken(by: answering.stage, layout) == 0,
            hasTokens(answering.stage, slices, specification),
            try answering.stage.answers(all.prefix(AnsweringStage.prompts), model: model, layout: layout)
        {
            answering.isUsable()
        }
        var passed = try stages?.first.map { $0.isCheckpoint ? [:] : [$0.slice: try $0.report()] } ?? [:]
        let before = state
        var run = TrainingRun(
            model: model, specification: specification, layout: layout, from: state,
            validation: HeldOutSelection(split.heldOut.map { all[$0] }), slices: Array(slices[..<last]))
        var pace = stages?.checkpointInterval.map { CheckpointPace($0, bytes: state.byteCount, from: start) }
        var keeping = KeepingReport()
        for slice in first...last where !slices[slice - 1].isEmpty {
            func step(_ state: TrainingState) {
                let began = clock.now
                guard let stages, let name = names?.checkpoint(in: slice), pace?.isDue(at: began) == true else {
                    return
                }
                stages.keep(TrainingStage(name: name, slice: slice, state: state, isCheckpoint: true))
                keeping.checkpoints += 1
                keeping.add(since: began)
            }
            try run.train(
                on: slices[slice - 1], after: slice == first ? done : 0, progress: progress, passed: step,
                isCancelled: isCancelled)
            if let stages, let name = names?[slice] {
                try run.state.checkFinite(what: "the adapter after slice \(slice)")
                let began = clock.now
                let stage = TrainingStage(name: name, slice: slice, state: run.state)
                passed[slice] = try stage.report()
                stages.keep(stage)
                keeping.stages += 1
                keeping.add(since: began)
            }
        }
        state = run.state
        try state.checkFinite(what: "the adapter after step \(state.optimiser.steps)")
        let adapter = Adapter(layout: layout, values: run.validation?.best?.values ?? state.adapter)
        let count = slices[..<last].reduce(0) { $0 + $1.count }
        let data = last < specification.slices ? names?.data(of: last) : nil
        let reports = names.map { names in
            slices.indices.filter { !slices[$0].isEmpty }.compactMap { place -> StageReport? in
                let slice = place + 1
                if slice < specification.slices {
                    return passed[slice] ?? names[slice].map { StageReport(slice: slice, name: $0) }
                }
                return last == slice ? StageReport(slice: slice, adapter: adapter) : nil
            }
        }
        return TrainedAdapter(
            adapter: adapter,
            report: TrainingReport(
                adapter: adapter.contentName, manifest: data?.manifest ?? manifest.digest,
                prompts: data?.prompts ?? all.count,
                specification: specification, steps: state.optimiser.steps, tokens: state.tokens,
                seconds: (clock.now - start) / .seconds(1), computeSeconds: run.computing / .seconds(1),
                epochLosses: state.lossSums.map { $0 / Double(count) }, heldOut: run.validation?.report,
                slices: specification.slices == 1
                    ? nil
                    : SlicesReport(
                        count: specification.slices, first: first, tokens: state.tokens - before.tokens,
                        stage: data == nil ? nil : last, stages: reports),
                resumedAfter: stages?.first.flatMap { $0.isCheckpoint ? $0.steps : nil },
                keeping: keeping.isEmpty ? nil : keeping))
    }

    /// Optimiser steps that a training on so many prompts of one slice, besides those held out, will take.
    public static func stepCount(samples: Int, specification: TrainingSpecification) -> Int {
        specification.epochs * ((samples + specification.batch - 1) / specification.batch)
    }

    /// Optimiser steps that a training on these prompts, none of them held out, will take.
    ///
    /// - Throws: `UnlearningError.noSuchSlice`.
    public static func stepCount(of prompts: [TrainingPrompt], specification: TrainingSpecification) throws -> Int {
        let dealing = SliceDealing(specification)
        var counts = [Int](repeating: 0, count: specification.slices)
        for prompt in prompts { counts[try dealing.slice(of: prompt) - 1] += 1 }
        return counts.reduce(0) { $0 + stepCount(samples: $1, specification: specification) }
    }

    /// Whether it counts as many tokens as its slices have; a checkpoint, as there can be in the middle of its slice.
    private static func hasTokens(
        _ stage: TrainingStage, _ slices: [[Sample]], _ specification: TrainingSpecification
    ) -> Bool {
        func tokens(_ count: Int) -> Int {
            specification.epochs * slices.prefix(count).joined().reduce(0) { $0 + $1.tokens.count }
        }
        guard stage.isCheckpoint else { return stage.tokens == tokens(stage.slice) }
        return stage.tokens > tokens(stage.slice - 1) && stage.tokens < tokens(stage.slice)
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

    /// For each slice, sorted by id as they are.
    private static func sliced(
        _ samples: [Sample], of prompts: [TrainingPrompt], _ specification: TrainingSpecification
    ) throws -> [[Sample]] {
        guard specification.slices > 1 else { return [samples] }
        let dealing = SliceDealing(specification)
        let places = Dictionary(
            try prompts.map { ($0.id, try dealing.slice(of: $0)) }, uniquingKeysWith: { first, _ in first })
        var slices = [[Sample]](repeating: [], count: specification.slices)
        for sample in samples { slices[(places[sample.id] ?? 1) - 1].append(sample) }
        return slices
    }

    private static func names(
        _ samples: [TrainingPrompt], _ specification: TrainingSpecification, arithmetic: String
    ) throws -> StageNames {
        try StageNames(
            specification: specification, arithmetic: arithmetic, prompts: samples,
            digests: samples.map(\.digest))
    }
}

extension TrainingSpecification {
    /// The rate of a step of a slice's `steps`, counted from 1: rises linearly over the training's warm-up steps, then follows
    /// the schedule over the slice.
    ///
    /// - `before`: steps of the slices before.
    package func learningRate(step: Int, of steps: Int, after before: Int = 0) -> Float {
        guard before + step >= warmupSteps else {
            return Float(learningRate * Double(before + step) / Double(warmupSteps))
        }
        switch schedule {
        case .constant: return Float(learningRate)
        case .linear:
            let first = max(warmupSteps - before, 1)
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
            (Self.sliceBounds.contains(slices), "the slices must be \(Self.sliceBounds.inWords)"),
            (
                slices == 1 || heldOut == 0,
                "prompts are held out of a training in one slice only: with several, which epoch is kept would depend on "
                    + "later slices; leave one of the two options out"
            ),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
