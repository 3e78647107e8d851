import Compute
import Foundation
import LanguageModels
import Recommendation

/// Forgets by teaching a student two things at once (arXiv 2403.03536): on the forget set, what a model would say that
/// had not learnt it; on retained prompts, what the original says and the labels.
///
/// 1. The augmented model: the original adapter trained further on the forget set alone; only where α is given.
/// 2. The forgetting teacher answers with what the original says, less α times what the augmented model gained; without a
///    given α, no surer of a label than its frequency makes it.
/// 3. The student starts as the original adapter, first learns from the forgetting teacher alone, then from pairs of a
///    forget and a retained batch with the loss β·L_forget + (1 − β)·L_remember.
///
/// The result is approximate. It is a pure function of model, adapter, prompts and configuration.
public enum E2URec {
    public struct Result: Sendable {
        public var student: ApproximateAdapter
        public var report: E2URecReport
    }

    /// - `adapter`: the shard's adapter, trained on the forget and the retained set.
    /// - `provenance`: how `adapter` came to be.
    /// - `forget`: the prompts to forget, in the version that was trained on: those whose target is forgotten, and the old
    ///   versions of rebuilt ones.
    /// - `retained`: the shard's prompts after the forgetting, rebuilt ones in their new version. In any order, as `forget`.
    /// - `isCancelled`: asked before every optimiser step.
    /// - Throws: `ApproximateError.emptyForgetSet`, `.emptyRetainedSet`, `.forgetSetLargerThanRetained`,
    ///   `.forgottenAndRetained`; `UnlearningError.invalidSpecification`, `.duplicateSample`, `.emptyPrompt`,
    ///   `.notFinite`, `.cancelled`; whatever the model throws.
    public static func unlearn(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, provenance: AdapterProvenance = .trained,
        forget: [TrainingPrompt], retained: [TrainingPrompt], configuration: E2URecConfiguration,
        progress: (E2URecProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> Result {
        try configuration.check()
        guard !forget.isEmpty else { throw ApproximateError.emptyForgetSet }
        guard !retained.isEmpty else { throw ApproximateError.emptyRetainedSet }
        guard forget.count <= retained.count else {
            throw ApproximateError.forgetSetLargerThanRetained(forget: forget.count, retained: retained.count)
        }
        let model = try model.answering([retained, forget].joined(), tokenizer)
        let limit = model.configuration.context
        let forgotten = try TokenizedPrompt.all(forget, tokenizer: tokenizer, limit: limit)
        let kept = try TokenizedPrompt.all(retained, tokenizer: tokenizer, limit: limit)
        let digests = Set(kept.map(\.digest))
        if let both = forgotten.first(where: { digests.contains($0.digest) }) {
            throw ApproximateError.forgottenAndRetained(id: both.id)
        }
        try adapter.checkFinite()
        return try withoutActuallyEscaping(progress) { progress in
            try withoutActuallyEscaping(isCancelled) { isCancelled in
                var run = E2URecRun(
                    model: model, original: adapter, forget: forgotten, retained: kept, configuration: configuration,
                    progress: progress, isCancelled: isCancelled)
                let (student, report) = try run.result()
                return Result(
                    student: try ApproximateAdapter(
                        student, method: .e2urec, original: adapter, history: provenance, forgotten: forgotten.count),
                    report: report)
            }
        }
    }
}
