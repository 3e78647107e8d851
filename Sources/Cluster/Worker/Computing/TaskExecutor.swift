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

    /// - Throws: `UnlearningError`, `LanguageModelError`.
    func train(
        prompts: [TrainingPrompt], specification: TrainingSpecification, progress: (TrainingProgress) -> Void,
        isCancelled: () -> Bool
    ) throws -> TrainedAdapter

    /// Corrects an adapter approximately; the report says so.
    ///
    /// - Parameters:
    ///   - specification: of the shard's trainings.
    ///   - retained: the shard's prompts after the forgetting.
    ///   - preparation: made beforehand, if there is one; only one of this adapter is used.
    /// - Throws: `ApproximateError`, `UnlearningError`, `LanguageModelError`.
    func correct(
        _ correction: PendingCorrection, specification: TrainingSpecification, retained: [TrainingPrompt],
        preparation: InfluencePreparation?, progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter

    /// What IFRU can compute before a request.
    ///
    /// - Parameter prompts: those that the adapter was trained on.
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
}

/// What of an executor decides whether the coordinator takes the worker.
package struct ExecutorDescription: Hashable, Sendable {
    /// `Checkpoint.digest`.
    package var base: String
    package var precision: TrainingSpecification.Precision
    /// `ArithmeticFingerprint`.
    package var arithmetic: String
    package var threads: Int
    package var model: ModelConfiguration

    package init(
        base: String, precision: TrainingSpecification.Precision, arithmetic: String, threads: Int,
        model: ModelConfiguration
    ) {
        self.base = base
        self.precision = precision
        self.arithmetic = arithmetic
        self.threads = threads
        self.model = model
    }
}

/// Why a task failed: a stable code, and a message for people that holds names and numbers but no content.
package struct TaskFailure: Error, Hashable, Sendable {
    package var code: String
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package init(_ error: any Error) {
        switch error {
        case let failure as TaskFailure: self = failure
        case let error as UnlearningError: self.init(code: Self.code(error), message: "\(error)")
        case let error as ApproximateError:
            // Its text may name a prompt.
            self.init(code: Self.code(error), message: "the adapter cannot be corrected")
        case let error as LanguageModelError: self.init(code: Self.code(error), message: "\(error)")
        default: self.init(code: "internal", message: "\(error)")
        }
    }

    private static func code(_ error: UnlearningError) -> String {
        switch error {
        case .noSamples: "no-samples"
        case .emptyPrompt: "empty-prompt"
        case .cancelled: "cancelled"
        case .notFinite: "not-finite"
        default: "invalid-task"
        }
    }

    /// As `CorrectionFallback`, where another try would end the same way.
    private static func code(_ error: ApproximateError) -> String {
        let fallback: CorrectionFallback =
            switch error {
            case .emptyForgetSet: .nothingToCorrect
            case .emptyRetainedSet, .forgetSetLargerThanRetained: .forgetSetTooLarge
            case .noReferenceRows: .noReferenceRows
            case .preparationTooLarge: .preparationTooLarge
            case .predictionsDoNotHold: .outOfTolerance
            case .forgottenAndRetained, .dampingNotPositive, .unknownPrompt, .preparationOfAnotherAdapter,
                .malformedPreparation:
                .failed
            }
        return fallback.rawValue
    }

    private static func code(_ error: LanguageModelError) -> String {
        switch error {
        case .promptTooLong: "prompt-too-long"
        case .emptyPrompt: "empty-prompt"
        case .adapterMismatch: "adapter-mismatch"
        case .notFinite, .weightsNotFinite: "not-finite"
        default: "model"
        }
    }
}
