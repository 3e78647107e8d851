import Foundation
import Recommendation

/// APA's sample-adaptive attention (arXiv 2404.10327): how much each shard's adapter counts for one query.
///
/// N(x) = the `neighbours` validation samples most similar to x (cosine of the embeddings, equal ones by id); error_k = mean
/// over N(x) of |y − p_k|, where p_k is the probability of "Yes" by adapter k's standardised margin (the paper leaves the
/// error open; `errors` says why this one); ω_k = exp(−τ·error_k) / Σ_j exp(−τ·error_j), in 32-bit floats with the largest exponent subtracted. Without
/// validation samples, and with τ = 0, the weights are equal.
public struct SampleAdaptiveAttention: Hashable, Sendable {
    public struct Parameters: Codable, Hashable, Sendable {
        /// 0: equal weights.
        public var tau: Double
        /// n; more than there are validation samples means all of them.
        public var neighbours: Int

        public static let tauBounds = 0.0...1e6
        public static let neighbourBounds = 1...(1 << 20)

        public init(tau: Double, neighbours: Int) {
            self.tau = tau
            self.neighbours = neighbours
        }

        /// - Throws: `UnlearningError.invalidSpecification`.
        public func check() throws {
            guard Self.tauBounds.contains(tau) else {
                throw UnlearningError.invalidSpecification(reason: "τ must be \(Self.tauBounds.inWords)")
            }
            guard Self.neighbourBounds.contains(neighbours) else {
                throw UnlearningError.invalidSpecification(
                    reason: "the neighbours must be \(Self.neighbourBounds.inWords)")
            }
        }
    }

    public let parameters: Parameters
    public let adapters: Int
    private let neighbourhood: Neighbourhood
    /// `[adapters][samples]`, the samples in the neighbourhood's order.
    private let errors: [[Float]]
    /// Place of each sample in the neighbourhood's order, by id.
    private let positions: [String: Int]

    /// - `ids`: names of the validation samples, in the order of the rows below.
    /// - `embeddings`: `[samples, dimension]`, of any length; they are normalised here.
    /// - `errors`: `[adapters][samples]`, made by `errors(margins:labels:)`.
    /// - Throws: `UnlearningError.invalidSpecification`, `.noAdapter`, `.wrongShape`, `.notFinite`, `.duplicateSample`.
    public init(
        ids: [String], embeddings: [Float], dimension: Int, errors: [[Float]], parameters: Parameters
    ) throws {
        try parameters.check()
        guard !errors.isEmpty else { throw UnlearningError.noAdapter }
        neighbourhood = try Neighbourhood(ids: ids, embeddings: embeddings, dimension: dimension)
        for row in errors { try Self.check(row, what: "the error table", samples: ids.count) }
        self.parameters = parameters
        self.adapters = errors.count
        let order = neighbourhood.order
        self.errors = errors.map { row in order.map { row[$0] } }
        positions = Dictionary(order.enumerated().map { (ids[$1], $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// ω `[queries, adapters]`, row by row; each row sums to one.
    ///
    /// - Parameters:
    ///   - queries: `[queries, dimension]`, of any length.
    ///   - available: false for a quarantined adapter: its weight is exactly zero. nil: all may answer.
    ///   - ids: names of the queries: a validation sample that is asked about is not its own neighbour. nil: all are new.
    /// - Throws: `UnlearningError.noAdapter` when none is available; `.wrongShape`, `.notFinite`.
    public func weights(for queries: [Float], available: [Bool]? = nil, ids: [String]? = nil) throws -> [Float] {
        let available = try Self.checked(available, adapters: adapters)
        let dimension = neighbourhood.dimension
        try Vectors.check(queries, what: "the queries", rows: queries.count / dimension, dimension: dimension)
        let queries = Vectors.normalised(queries, dimension: dimension)
        if let ids, ids.count * dimension != queries.count {
            throw UnlearningError.wrongShape(
                what: "the queries' names", expected: queries.count / dimension, found: ids.count)
        }
        return stride(from: 0, to: queries.count, by: dimension).flatMap { start in
            let nearest = neighbourhood.nearest(
                to: Array(queries[start..<(start + dimension)]), count: parameters.neighbours,
                excluding: ids.flatMap { positions[$0[start / dimension]] })
            return Self.weights(errors: errors, over: nearest, tau: parameters.tau, available: available)
        }
    }

    /// What the weights of one query rest on.
    public struct Explanation: Hashable, Sendable {
        /// Ids of N(x), most similar first.
        public var neighbours: [String]
        /// error_k of each adapter.
        public var errors: [Double]
    }

    /// One for each query, as `weights(for:)` sees it with `ids` nil.
    ///
    /// - Parameter queries: `[queries, dimension]`, of any length.
    /// - Throws: `UnlearningError.wrongShape`, `.notFinite`.
    public func explanations(for queries: [Float]) throws -> [Explanation] {
        let dimension = neighbourhood.dimension
        try Vectors.check(queries, what: "the queries", rows: queries.count / dimension, dimension: dimension)
        let queries = Vectors.normalised(queries, dimension: dimension)
        let names = positions.sorted { $0.value < $1.value }.map(\.key)
        return stride(from: 0, to: queries.count, by: dimension).map { start in
            let nearest = neighbourhood.nearest(
                to: Array(queries[start..<(start + dimension)]), count: parameters.neighbours)
            return Explanation(
                neighbours: nearest.map { names[$0] }, errors: Self.meanErrors(errors: errors, over: nearest))
        }
    }

    private static func meanErrors(errors: [[Float]], over samples: some Collection<Int>) -> [Double] {
        errors.map { row in
            samples.isEmpty ? 0 : samples.reduce(0) { $0 + Double(row[$1]) } / Double(samples.count)
        }
    }

    /// |y − p| of each validation sample under one adapter: the probability of the wrong answer.
    ///
    /// p is the logistic function of the margin less its mean, over its standard deviation on these samples. Shards have
    /// different shares of liked items and different numbers of steps, so their adapters differ in offset and scale; with
    /// plain margins the attention would follow the offsets (it then lowers AUC below that of equal weights on the movie
    /// set) instead of asking which adapter tells these neighbours apart.
    public static func errors(margins: [Float], labels: [Bool]) -> [Float] {
        let count = Double(max(1, margins.count))
        let mean = margins.reduce(0) { $0 + Double($1) } / count
        let deviation = (margins.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count).squareRoot()
        return zip(margins, labels).map { margin, label in
            let standardised = deviation > 0 ? (Double(margin) - mean) / deviation : 0
            return Float(Metrics.probability(margin: label ? -standardised : standardised))
        }
    }

    /// Softmax of −τ times the mean error over the given samples, among the available adapters.
    static func weights(
        errors: [[Float]], over samples: some Collection<Int>, tau: Double, available: [Bool]
    ) -> [Float] {
        let means = meanErrors(errors: errors, over: samples)
        let least = zip(means, available).filter(\.1).map(\.0).min() ?? 0
        let powers = zip(means, available).map { $1 ? exp(Float(-tau * ($0 - least))) : 0 }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    static func check(_ row: [Float], what: String, samples: Int) throws {
        guard row.count == samples else {
            throw UnlearningError.wrongShape(what: what, expected: samples, found: row.count)
        }
        guard row.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: what) }
    }

    static func checked(_ available: [Bool]?, adapters: Int) throws -> [Bool] {
        let available = available ?? [Bool](repeating: true, count: adapters)
        guard available.count == adapters else {
            throw UnlearningError.wrongShape(what: "availability", expected: adapters, found: available.count)
        }
        guard available.contains(true) else { throw UnlearningError.noAdapter }
        return available
    }
}
