/// APA's sample-adaptive attention (arXiv 2404.10327): how much each shard's adapter counts for one query.
///
/// N(x) = the `neighbours` validation samples most similar to x (cosine of the embeddings); error_k = mean over N(x) of
/// |y − p_k|, where p_k is the two-way probability of "Yes" under adapter k; ω_k = exp(−τ·error_k) / Σ_j exp(−τ·error_j).
public struct SampleAdaptiveAttention: Codable, Hashable, Sendable {
    public struct Parameters: Codable, Hashable, Sendable {
        /// 0: equal weights.
        public var tau: Double
        /// n; more than there are validation samples means all of them.
        public var neighbours: Int

        public init(tau: Double, neighbours: Int) {
            self.tau = tau
            self.neighbours = neighbours
        }
    }

    public let parameters: Parameters

    /// - Parameters:
    ///   - ids: names of the validation samples, in the order of the rows below.
    ///   - embeddings: `[samples, dimension]`.
    ///   - errors: `[adapters][samples]`, made by `errors(margins:labels:)`.
    public init(
        ids: [String], embeddings: [Float], dimension: Int, errors: [[Float]], parameters: Parameters
    ) throws {
        self.parameters = parameters
    }

    /// ω `[queries, adapters]`, row by row; each row sums to one.
    ///
    /// - Parameters:
    ///   - queries: `[queries, dimension]`.
    ///   - available: false for a quarantined adapter: its weight is exactly zero. nil: all may answer.
    /// - Throws: `UnlearningError.noAdapter` when none is available.
    public func weights(for queries: [Float], available: [Bool]? = nil) throws -> [Float] { [] }

    /// |y − p| of each validation sample under one adapter.
    public static func errors(margins: [Float], labels: [Bool]) -> [Float] { [] }
}
