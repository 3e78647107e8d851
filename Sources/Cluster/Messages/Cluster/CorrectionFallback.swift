/// Why a shard is retrained exactly although an approximate correction was asked for. A closed list: it is kept in the
/// ledger and stands in certificates, so no text from outside gets into it.
public enum CorrectionFallback: String, Codable, CaseIterable, Hashable, Sendable, Error {
    /// The shard's adapter was away already, and is being retrained.
    case retraining
    /// A request for exact forgetting came before the correction was done.
    case exactForget = "exact-forget"
    /// The shard's prompts were changed otherwise (by an import, by the partition of new prompts) since its adapter was
    /// trained, or before the correction was done.
    case dataChanged = "data-changed"
    /// None of the shard's prompts is another one, but its adapter saw what is forgotten.
    case nothingToCorrect = "nothing-to-correct"
    case forgetSetTooLarge = "forget-set-too-large"
    case noReferenceRows = "no-reference-rows"
    case notFinite = "not-finite"
    /// The preparation's rows would take more memory than allowed.
    case preparationTooLarge = "preparation-too-large"
    /// What a correction by influence was predicted to do is not what it does.
    case outOfTolerance = "out-of-tolerance"
    /// The file of the adapter that was to be corrected was damaged or gone.
    case originalDamaged = "original-damaged"
    /// Workers failed at it again and again.
    case failed

    public var description: String {
        switch self {
        case .retraining: "its adapter was already being retrained"
        case .exactForget: "a request for exact forgetting came before the correction was done"
        case .dataChanged: "its prompts changed in other ways since the adapter was trained"
        case .nothingToCorrect: "its adapter saw the data in prompts that are no longer there"
        case .forgetSetTooLarge: "more prompts were to be forgotten than retained"
        case .noReferenceRows: "no prompt was left to make the curvature of"
        case .notFinite: "the correction gave numbers that are not finite"
        case .preparationTooLarge: "the preparation would have taken too much memory"
        case .outOfTolerance: "the correction's predictions did not come true"
        case .originalDamaged: "the file of the adapter that was to be corrected was damaged"
        case .failed: "the correction failed"
        }
    }

    /// As workers report it.
    package var code: ErrorCode { ErrorCode(rawValue: rawValue) }

    /// What a worker's failure at a correction means; nil: another try may succeed.
    package init?(code: ErrorCode) {
        switch CorrectionFallback(rawValue: code.rawValue) {
        case .forgetSetTooLarge: self = .forgetSetTooLarge
        case .noReferenceRows: self = .noReferenceRows
        case .notFinite: self = .notFinite
        case .preparationTooLarge: self = .preparationTooLarge
        case .nothingToCorrect: self = .nothingToCorrect
        case .outOfTolerance: self = .outOfTolerance
        case .failed: self = .failed
        default: return nil
        }
    }
}
