import Experiments
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// What a worker computes with: the base model, or something small in its place.
///
/// An instance belongs to the worker's compute thread, which also makes it.
package protocol TaskExecutor: AnyObject {
    var description: ExecutorDescription { get }

    /// - `first`: a stage of this training, from which it goes on; nil: begin at the initial adapter.
    /// - `last`: the slice that it ends after; nil: the last.
    /// - `answering`: a stage that is to answer until the training is done, and what is called once it may.
    /// - `keep`: is given the stages that the training passes.
    /// - Throws: `UnlearningError`, `LanguageModelError`.
    func train(
        prompts: [TrainingPrompt], specification: TrainingSpecification, from first: TrainingStage?,
        through last: Int?, answering: AnsweringStage?, keep: @escaping (TrainingStage) -> Void,
        progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter

    /// Corrects an adapter approximately; the report says so.
    ///
    /// - `specification`: of the shard's trainings.
    /// - `retained`: the shard's prompts after the forgetting.
    /// - `preparation`: made beforehand, if there is one; only one of this adapter is used.
    /// - Throws: `ApproximateError`, `UnlearningError`, `LanguageModelError`.
    func correct(
        _ correction: PendingCorrection, specification: TrainingSpecification, retained: [TrainingPrompt],
        preparation: InfluencePreparation?, progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter

    /// What IFRU can compute before a request.
    ///
    /// - `prompts`: those that the adapter was trained on.
    func prepare(
        adapter: Adapter, prompts: [TrainingPrompt], trial: InfluenceTrial, progress: (TrainingProgress) -> Void,
        isCancelled: () -> Bool
    ) throws -> InfluencePreparation

    /// Margins of the prompts; no adapters means the base model, no weights 1/K each.
    func score(
        prompts: [TrainingPrompt], adapters: [Adapter], rule: AggregationRule, weights: [Float]
    ) throws -> (margins: [Float], tokens: Int)

    /// `[prompts, hidden]`, row by row.
    func embed(prompts: [TrainingPrompt], source: EmbeddingSource) throws -> (values: [Float], tokens: Int)

    /// - Throws: `UnlearningError`, `LanguageModelError`.
    func compare(
        _ comparison: ComparisonCase, progress: (ComparisonProgress) -> Void, isCancelled: () -> Bool
    ) throws -> ComparisonReport

    /// A job is done: what it held of the machine is left to others.
    func rest()
}

extension TaskExecutor {
    package func rest() {}

    /// To its end.
    package func train(
        prompts: [TrainingPrompt], specification: TrainingSpecification, from first: TrainingStage?,
        keep: @escaping (TrainingStage) -> Void, progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter {
        try train(
            prompts: prompts, specification: specification, from: first, through: nil, answering: nil, keep: keep,
            progress: progress, isCancelled: isCancelled)
    }

    /// From the start, without stages.
    package func train(
        prompts: [TrainingPrompt], specification: TrainingSpecification, progress: (TrainingProgress) -> Void,
        isCancelled: () -> Bool
    ) throws -> TrainedAdapter {
        try train(
            prompts: prompts, specification: specification, from: nil, keep: { _ in }, progress: progress,
            isCancelled: isCancelled)
    }
}
