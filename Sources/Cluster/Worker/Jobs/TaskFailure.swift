import LanguageModels
import Messages
import Unlearning

/// Why a task failed: a stable code, and a message for people that holds names and numbers but no content.
package struct TaskFailure: Error, Hashable, Sendable {
    package var code: ErrorCode
    package var message: String

    package init(code: ErrorCode, message: String) {
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
        default: self.init(code: .unexpected, message: "\(error)")
        }
    }

    /// What is said of a training that came to numbers that are none; nil: this is another failure.
    package func diverging(at learningRate: Double) -> TaskFailure? {
        guard code == .notFinite else { return nil }
        return TaskFailure(
            code: code,
            message: "the training diverges: \(message); as a rule its learning rate, \(learningRate), is too high for "
                + "this data: a cluster with a lower --learning-rate is needed")
    }

    private static func code(_ error: UnlearningError) -> ErrorCode {
        switch error {
        case .noSamples: .noSamples
        case .emptyPrompt: .emptyPrompt
        case .cancelled: .cancelled
        case .notFinite: .notFinite
        case .foreignStage, .malformedStage: .stageDiffers
        default: .invalidTask
        }
    }

    /// As `CorrectionFallback`, where another try would end the same way.
    private static func code(_ error: ApproximateError) -> ErrorCode {
        let fallback: CorrectionFallback =
            switch error {
            case .emptyForgetSet: .nothingToCorrect
            case .emptyRetainedSet, .forgetSetLargerThanRetained: .forgetSetTooLarge
            case .noReferenceRows: .noReferenceRows
            case .preparationTooLarge: .preparationTooLarge
            case .predictionsDoNotHold, .retainedAnswersMove: .outOfTolerance
            case .forgottenAndRetained, .dampingNotPositive, .unknownPrompt, .preparationOfAnotherAdapter,
                .malformedPreparation:
                .failed
            }
        return fallback.code
    }

    private static func code(_ error: LanguageModelError) -> ErrorCode {
        switch error {
        case .promptTooLong: .promptTooLong
        case .emptyPrompt: .emptyPrompt
        case .adapterMismatch: .adapterMismatch
        case .notFinite, .weightsNotFinite: .notFinite
        default: .model
        }
    }
}
