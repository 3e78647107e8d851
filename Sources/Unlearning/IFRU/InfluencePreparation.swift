import Foundation
import LanguageModels
import Recommendation

/// What IFRU computes after a training and before any request, so that a request costs one solve and the backward passes of
/// rebuilt prompts only.
///
/// For n reference prompts it holds the gradients ∇m_i of the two-way margins with respect to the adapter (rows of M,
/// `[n, P]`), M·Mᵀ, and the eigendecomposition of J·Jᵀ, where J = diag(√w)·M and w_i = σ(m_i)·(1 − σ(m_i)). JᵀJ/n is the
/// Gauss–Newton matrix of the mean loss; the one decomposition serves every damping λ. For a refit and an
/// interpolation it holds the margins that the training began with, and once calibrated the dual coefficients of the
/// regression over all rows, or the factor of M·Mᵀ + ε.
///
/// Rows are made from people's prompts: with a forgetting a preparation has to be deleted, or replaced by the one that an
/// `InfluenceSuccessor` makes.
public struct InfluencePreparation: Hashable, Sendable {
    /// One prompt that the adapter was trained on.
    public struct Entry: Codable, Hashable, Sendable {
        public var id: String
        /// `TrainingPrompt.digest`.
        public var digest: String
        public var label: Bool
        /// Position among the reference rows.
        public var row: Int?

        public init(id: String, digest: String, label: Bool, row: Int?) {
            self.id = id
            self.digest = digest
            self.label = label
            self.row = row
        }
    }

    /// Content name of the adapter at which everything was computed.
    public let adapter: String
    /// Approximate corrections since the rows of prompts that no request touched were computed; 0: everything is fresh.
    public let corrections: Int
    /// All N prompts of the training, sorted by id.
    public let entries: [Entry]
    /// Margins m_i of the rows.
    public let margins: [Float]
    /// Margins m⁰_i of the rows under the base model.
    package let start: [Float]
    /// Made by `calibrated(…)`; nil: λ is open.
    public internal(set) var calibration: InfluenceCalibration?
    /// What the preparation took; to be reported beside the time of a request.
    public internal(set) var cost: PhaseCost
    /// α of `DualRegression` over all rows at the calibrated ρ; empty unless a refit was calibrated.
    package internal(set) var coefficients: [Double]
    /// L of L·Lᵀ = M·Mᵀ + ε, `[n, n]`; empty unless an interpolation was calibrated.
    package internal(set) var factor: [Double]
    package let rows: InfluenceMatrix
    /// M·Mᵀ `[n, n]`.
    package let gram: [Double]
    /// Of J·Jᵀ.
    package let eigen: SymmetricEigen
    let positions: [String: Int]

    /// Number of parameters P.
    public var parameters: Int { rows.width }
    /// Number of reference rows n.
    public var referenceCount: Int { margins.count }
    /// What the rows take in memory.
    public var rowBytes: Int { rows.byteCount }
    /// Mean of the n eigenvalues of JᵀJ/n that can differ from zero: the unit of relative damping.
    public var meanCurvature: Double {
        margins.isEmpty ? 0 : eigen.values.reduce(0, +) / Double(margins.count) / Double(margins.count)
    }

    /// Mean of ‖∇m_i‖²: the unit of ρ.
    package var meanSquare: Double {
        let count = referenceCount
        return count == 0 ? 0 : (0..<count).reduce(0.0) { $0 + gram[$1 * count + $1] } / Double(count)
    }

    /// √w_i of each row.
    package var rootWeights: [Double] { Self.rootWeights(margins) }

    /// The default of `memoryLimit`: enough for 1,024 prompts on an adapter of 1,000,000 parameters.
    public static let defaultMemoryLimit = 4 << 30

    /// - `prompts`: all prompts that `adapter` was trained on, in any order.
    /// - `references`: use only this many prompts as rows, chosen by a keyed hash; nil: all. Prompts without a row cost
    ///   a backward pass when they are forgotten, and the curvature is that of the others.
    /// - `memoryLimit`: bytes that the rows may take.
    /// - `progress`: called after every row with the number of rows done, and their total.
    /// - Throws: `ApproximateError.noReferenceRows`, `.preparationTooLarge`; `UnlearningError.notFinite`, `.cancelled`,
    ///   `.duplicateSample`, `.emptyPrompt`; whatever the model throws.
    public init(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, prompts: [TrainingPrompt],
        references: Int? = nil, seed: UInt64 = 0, memoryLimit: Int = InfluencePreparation.defaultMemoryLimit,
        progress: (Int, Int) -> Void = { _, _ in }, isCancelled: () -> Bool = { false }
    ) throws {
        let clock = ContinuousClock()
        let began = clock.now
        let model = try model.answering(prompts, tokenizer)
        let prompts = try TokenizedPrompt.all(prompts, tokenizer: tokenizer, limit: model.configuration.context)
        let count = min(references ?? prompts.count, prompts.count)
        guard count > 0 else { throw ApproximateError.noReferenceRows }
        try Self.requireRoom(for: count, width: adapter.layout.count, limit: memoryLimit)
        let keys = prompts.map { FieldHash.number(["ifru reference", String(seed), $0.id]) }
        let chosen = prompts.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }.prefix(count).sorted()
        var rows = InfluenceMatrix(width: adapter.layout.count)
        rows.reserve(count)
        var margins: [Float] = []
        for position in chosen {
            if isCancelled() { throw UnlearningError.cancelled }
            let (row, margin) = try Self.marginGradient(model: model, adapter: adapter, prompt: prompts[position])
            rows.append(row)
            margins.append(margin)
            progress(margins.count, count)
        }
        var entries = prompts.map { Entry(id: $0.id, digest: $0.digest, label: $0.label, row: nil) }
        for (row, position) in chosen.enumerated() { entries[position].row = row }
        let start = try Self.startMargins(model: model, prompts: chosen.map { prompts[$0] }, isCancelled: isCancelled)
        try self.init(
            adapter: adapter.contentName, corrections: 0, entries: entries, margins: margins, start: start, rows: rows)
        let tokens = chosen.map { prompts[$0] }.tokenCount
        cost = PhaseCost(
            seconds: (clock.now - began) / .seconds(1), scoredTokens: tokens, trainedTokens: tokens)
    }

    /// Completes rows and margins by what follows from them.
    init(
        adapter: String, corrections: Int, entries: [Entry], margins: [Float], start: [Float], rows: InfluenceMatrix
    ) throws {
        let gram = try rows.gram()
        let roots = Self.rootWeights(margins)
        var weighted = gram
        for row in roots.indices {
            for column in roots.indices { weighted[row * roots.count + column] *= roots[row] * roots[column] }
        }
        let eigen = try SymmetricEigen(matrix: weighted, size: roots.count)
        // J·Jᵀ has no negative eigenvalues; rounding may leave some a little below zero, which a small λ must not meet.
        let values = eigen.values.map { max($0, 0) }
        self.init(
            adapter: adapter, corrections: corrections, entries: entries, margins: margins, start: start, rows: rows,
            gram: gram, eigen: SymmetricEigen(size: eigen.size, values: values, vectors: eigen.vectors))
    }

    init(
        adapter: String, corrections: Int, entries: [Entry], margins: [Float], start: [Float], rows: InfluenceMatrix,
        gram: [Double], eigen: SymmetricEigen
    ) {
        self.adapter = adapter
        self.corrections = corrections
        self.entries = entries
        self.margins = margins
        self.start = start
        coefficients = []
        factor = []
        self.rows = rows
        self.gram = gram
        self.eigen = eigen
        cost = PhaseCost()
        positions = Dictionary(entries.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether so many rows may be made.
    ///
    /// - Throws: `ApproximateError.preparationTooLarge`.
    static func requireRoom(for rows: Int, width: Int, limit: Int) throws(ApproximateError) {
        let (bytes, overflow) = rows.multipliedReportingOverflow(by: width * 4)
        guard !overflow, bytes <= limit else {
            throw .preparationTooLarge(bytes: overflow ? .max : bytes, limit: limit)
        }
    }

    private static func rootWeights(_ margins: [Float]) -> [Double] {
        margins.map {
            (Metrics.probability(margin: Double($0)) * Metrics.probability(margin: -Double($0))).squareRoot()
        }
    }

    /// The entry of a prompt in exactly this version.
    ///
    /// - Throws: `ApproximateError.unknownPrompt`.
    func entry(of prompt: TokenizedPrompt) throws -> Entry {
        guard let position = positions[prompt.id], entries[position].digest == prompt.digest else {
            throw ApproximateError.unknownPrompt(id: prompt.id)
        }
        return entries[position]
    }

    /// ∇m `[P]` of one prompt, and m.
    static func marginGradient(
        model: any AnswerModel, adapter: Adapter, prompt: TokenizedPrompt
    ) throws -> ([Float], Float) {
        let result = try model.gradient(prompts: [prompt.tokens], adapter: adapter) { _, _ in
            AnswerLogits(yes: 1, no: -1)
        }
        guard let margin = result.logits.first?.margin, margin.isFinite, result.gradient.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the margin's gradient of a prompt")
        }
        return (result.gradient, margin)
    }
}
