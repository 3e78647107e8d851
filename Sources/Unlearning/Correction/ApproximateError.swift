/// What can stop an approximate unlearning. Nothing is published when one of these is thrown.
public enum ApproximateError: Error, Hashable, Sendable {
    /// Nothing was asked to be forgotten.
    case emptyForgetSet
    /// Nothing would be left to keep the model's quality with.
    case emptyRetainedSet
    /// These methods correct a model; beyond half of the data training anew is the better answer.
    case forgetSetLargerThanRetained(forget: Int, retained: Int)
    /// The prompt is to be forgotten and retained, in the same version.
    case forgottenAndRetained(id: String)
    /// λ must be a positive number: LoRA's factors have directions without any curvature.
    case dampingNotPositive
    /// The curvature has no rows to be made of.
    case noReferenceRows
    /// The prompt was not part of what the preparation was made from.
    case unknownPrompt(id: String)
    /// The preparation belongs to another adapter (content names).
    case preparationOfAnotherAdapter(expected: String, found: String)
    /// What the correction was predicted to do is not what it does (‖actual − predicted‖ ÷ ‖predicted‖ over the probes).
    case predictionsDoNotHold(disagreement: Double, tolerance: Double)
    /// The correction would move the answers to retained prompts farther (mean divergence, in nats) than it may.
    case retainedAnswersMove(cap: Double)
    /// A stored preparation that contradicts itself.
    case malformedPreparation(reason: String)
    /// The rows would take more memory than allowed: those of a preparation, or those that a request needs beside it.
    case preparationTooLarge(bytes: Int, limit: Int)
}

extension ApproximateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .emptyForgetSet: "there is nothing to forget"
        case .emptyRetainedSet: "nothing would be retained; train the shard anew or drop its adapter instead"
        case .forgetSetLargerThanRetained(let forget, let retained):
            "\(forget) prompts are to be forgotten and \(retained) retained; "
                + "approximate methods need more of the latter: retrain the shard instead"
        case .forgottenAndRetained(let id): "prompt \(id) is to be forgotten and retained at once"
        case .dampingNotPositive: "the damping λ must be a positive number"
        case .noReferenceRows: "there are no reference rows to make the curvature of"
        // Without its id, from which somebody who suspects a person and an item can tell: reports and logs outlive forgetting.
        case .unknownPrompt: "a prompt is not part of the prepared training data"
        case .preparationOfAnotherAdapter(let expected, let found):
            "the preparation was made for adapter \(expected), not for \(found); prepare again"
        case .predictionsDoNotHold(let disagreement, let tolerance):
            "predicted and actual answers disagree by \(disagreement), more than \(tolerance)"
        case .retainedAnswersMove(let cap):
            "the answers to retained prompts would move by more than \(cap) nats on average"
        case .malformedPreparation(let reason): "the stored preparation is damaged: \(reason)"
        case .preparationTooLarge(let bytes, let limit):
            "the rows would take \(bytes) bytes; \(limit) are allowed: use fewer reference rows, or retrain the shard"
        }
    }
}
