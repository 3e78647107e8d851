import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// Where a comparison stands.
public struct ComparisonProgress: Hashable, Sendable {
    /// Rows and points done, of `steps`.
    public var step: Int
    public var steps: Int

    public init(step: Int, steps: Int) {
        self.step = step
        self.steps = steps
    }
}

/// Compares unlearning methods on identical forget requests: how near they come to training anew without the forgotten data,
/// what quality is left, and what it takes (axes after CURE4Rec, arXiv 2408.14393, and ERASE, arXiv 2603.08341).
public enum MethodComparison {
    /// A pure function of model and case, but for the seconds in the report.
    ///
    /// A method that fails on a request is reported as failed, with the reason. Only what all methods rest on (the data, the
    /// original adapter, the retrained ones) makes the comparison itself fail.
    ///
    /// - `progress`: called often, also while nothing new is done.
    /// - `isCancelled`: asked before every optimiser step and every chunk of scoring.
    /// - Throws: `UnlearningError`; whatever the model throws.
    public static func run(
        model: any AnswerModel, tokenizer: any Tokenizer, comparison: ComparisonCase,
        progress: (ComparisonProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> ComparisonReport {
        try comparison.check()
        let model = try model.answering(comparison.prompts, tokenizer)
        return try withoutActuallyEscaping(progress) { progress in
            try withoutActuallyEscaping(isCancelled) { isCancelled in
                let run = ComparisonRun(
                    comparison, model: model, tokenizer: tokenizer, progress: progress, isCancelled: isCancelled)
                return try run.report()
            }
        }
    }
}

/// One case on its way.
private final class ComparisonRun {
    private let comparison: ComparisonCase
    private let work: ComparedModels
    private let progress: (ComparisonProgress) -> Void
    private let counter: Counter

    /// Shared with the closure that says that the work goes on.
    private final class Counter {
        var step = 0
        let steps: Int
        init(steps: Int) { self.steps = steps }
        var now: ComparisonProgress { ComparisonProgress(step: step, steps: steps) }
    }

    init(
        _ comparison: ComparisonCase, model: any AnswerModel, tokenizer: any Tokenizer,
        progress: @escaping (ComparisonProgress) -> Void, isCancelled: @escaping () -> Bool
    ) {
        self.comparison = comparison
        self.progress = progress
        let counter = Counter(
            steps: comparison.batches.count * comparison.methods.count
                + (comparison.sequence.isEmpty ? 0 : DriftRun.checkpoints(of: comparison.sequence.count).count))
        self.counter = counter
        work = ComparedModels(
            model: model, tokenizer: tokenizer, settings: comparison.settings, isCancelled: isCancelled,
            tick: { progress(counter.now) })
    }

    private func done() {
        counter.step += 1
        progress(counter.now)
    }

    func report() throws -> ComparisonReport {
        progress(counter.now)
        let before = ComparisonState(
            training: try work.read(comparison.training), validation: try work.read(comparison.validation),
            test: try work.read(comparison.test))
        var methods = try ComparedMethods(before: before, work: work)
        var report = ComparisonReport(
            cases: [
                ComparisonReport.CaseSummary(
                    seed: comparison.seed, data: comparison.data, training: before.training.count,
                    validation: before.validation.count, test: before.test.count, shards: comparison.settings.shards,
                    partition: comparison.settings.partition, epochs: comparison.settings.specification.epochs)
            ], descriptions: ComparisonDescription.all(slices: comparison.settings.specification.slices), paired: [],
            parts: [])
        for batch in comparison.batches {
            let step = try before.applying(batch, read: work.read)
            let retrained = try work.train(step.after.training)
            var judge = try ComparisonJudge(
                comparison: comparison, batch: batch, step: step, retrained: retrained, work: work)
            for method in comparison.methods {
                report.rows.append(
                    try judge.row(method) { try methods.outcome(of: method, after: step, retrained: retrained) })
                done()
            }
            report.paired?.append(judge.paired)
            report.parts? += judge.pairedParts
        }
        if comparison.methods.contains(where: { $0 == .apaD || $0 == .apaND }) {
            // Where a shard comes to no number its rows say so; the others stand all the same.
            do {
                let weights = try methods.attentionWeights(seed: comparison.seed, data: comparison.data)
                report.attention = weights.map { [$0] } ?? []
            } catch UnlearningError.cancelled {
                throw UnlearningError.cancelled
            } catch {
                report.attention = []
            }
        }
        var references = methods.preparedReferences
        if !comparison.sequence.isEmpty {
            var drift = DriftRun(comparison: comparison, before: before, methods: methods, work: work)
            report.sequences = try drift.points(done: done)
            references = drift.preparedReferences
        }
        report.cases[0].influenceReferences = references
        return report
    }
}
