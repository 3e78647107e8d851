/// How several adapters act together in one forward pass (arXiv 2404.10327, parameter-level aggregation).
public enum AggregationRule: String, Codable, CaseIterable, Hashable, Sendable {
    /// APA(D): `o = W·x + s·(Σ ω_k B_k)·(Σ ω_k A_k)·x`.
    case decomposed = "D"
    /// APA(ND): `o = W·x + s·Σ ω_k·B_k·A_k·x`.
    case nonDecomposed = "ND"
}

/// K adapters of one layout and the rule that joins them. The weights ω belong to each prompt, not to the mixture.
public struct AdapterMixture: Sendable {
    public let adapters: [Adapter]
    public let rule: AggregationRule

    /// All adapters must have the same layout and there must be at least one.
    public init(_ adapters: [Adapter], rule: AggregationRule = .nonDecomposed) {
        precondition(!adapters.isEmpty && adapters.allSatisfy { $0.layout == adapters[0].layout })
        self.adapters = adapters
        self.rule = rule
    }
}
