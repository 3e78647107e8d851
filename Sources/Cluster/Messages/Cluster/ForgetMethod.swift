import Unlearning

/// How adapters are made and how they forget.
public enum ForgetMethod: String, Codable, CaseIterable, Hashable, Sendable {
    /// Shards retrain without the forgotten data: exact.
    case apa
    /// Adapters are corrected (arXiv 2403.03536): approximate.
    case e2urec
    /// Adapters are corrected (arXiv 2307.02147): approximate.
    case ifru

    /// nil: exact.
    public var approximate: ApproximateMethod? { ApproximateMethod(rawValue: rawValue) }

    public init(_ method: ApproximateMethod) {
        switch method {
        case .e2urec: self = .e2urec
        case .ifru: self = .ifru
        }
    }
}
