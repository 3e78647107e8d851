import LanguageModels
import Unlearning

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
