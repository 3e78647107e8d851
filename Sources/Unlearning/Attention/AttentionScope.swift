/// What of a query sample-adaptive attention looks at (arXiv 2404.10327, which looks at the prompt).
public enum AttentionScope: String, Codable, CaseIterable, Sendable {
    /// The whole prompt: every candidate item has an aggregate of its own.
    case prompt
    /// The user's history alone: all candidates of a ranking share one aggregate, and so their common beginning.
    case history
}
