import LanguageModels
import Recommendation

/// What is left of a preparation after a correction: without any row of the direct prompts and of the old versions of
/// rebuilt ones. It becomes the preparation of the next request by a backward pass of each rebuilt prompt.
///
/// Rows of prompts that the request did not touch stay those of the adapter before; their margins are moved by
/// the predicted change. `corrections` counts how often: prepare anew when it grows, or when `IFRUReport.disagreement`
/// does. λ stays as calibrated.
public struct InfluenceSuccessor: Sendable {
    /// After so many corrections rows are made anew: they are of the adapter before the first.
    public static let correctionsUntilFresh = 16

    /// Content name of the corrected adapter.
    public let adapter: String
    /// Corrections since the rows were fresh.
    public let corrections: Int
    /// What the rows take in memory.
    public var rowBytes: Int { rows.byteCount }
    /// The new versions of rebuilt prompts, and added ones.
    let new: [TokenizedPrompt]
    let entries: [InfluencePreparation.Entry]
    let rows: InfluenceMatrix
    let margins: [Float]
    let start: [Float]
    let calibration: InfluenceCalibration?

    /// - Throws: `ApproximateError.preparationOfAnotherAdapter` when the result is not of this preparation;
    ///   `UnlearningError.duplicateSample`, `.emptyPrompt`.
    public init(
        of preparation: InfluencePreparation, after result: IFRU.Result, of request: InfluenceRequest,
        tokenizer: any Tokenizer, limit: Int
    ) throws {
        let provenance = result.corrected.provenance
        guard provenance.original == preparation.adapter, result.predicted.count == preparation.referenceCount else {
            throw ApproximateError.preparationOfAnotherAdapter(
                expected: preparation.adapter, found: provenance.original)
        }
        let gone = Set((request.direct + request.rebuilt.map(\.old)).map(\.id))
        var kept = preparation.entries.filter { !gone.contains($0.id) }
        let old = kept.compactMap(\.row)
        var next = 0
        for position in kept.indices where kept[position].row != nil {
            kept[position].row = next
            next += 1
        }
        adapter = provenance.result
        corrections = preparation.corrections + 1
        new = try TokenizedPrompt.all(request.rebuilt.map(\.new) + request.added, tokenizer: tokenizer, limit: limit)
        entries = kept
        rows = preparation.rows.selecting(old)
        margins = old.map { preparation.margins[$0] + Float(result.predicted[$0]) }
        start = old.map { preparation.start[$0] }
        calibration = preparation.calibration
    }

    /// The preparation for the next request.
    ///
    /// - `adapter`: the corrected one.
    /// - `memoryLimit`: bytes that its rows may take.
    /// - Throws: `ApproximateError.noReferenceRows`, `.preparationOfAnotherAdapter`, `.preparationTooLarge`;
    ///   `UnlearningError.notFinite`, `.cancelled`; whatever the model throws.
    public func preparation(
        model: any AnswerModel, adapter: Adapter,
        memoryLimit: Int = InfluencePreparation.defaultMemoryLimit, progress: (Int, Int) -> Void = { _, _ in },
        isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        let found = adapter.contentName
        guard found == self.adapter, adapter.layout.count == rows.width else {
            throw ApproximateError.preparationOfAnotherAdapter(expected: self.adapter, found: found)
        }
        try InfluencePreparation.requireRoom(for: margins.count + new.count, width: rows.width, limit: memoryLimit)
        let clock = ContinuousClock()
        let began = clock.now
        var (entries, rows, margins) = (self.entries, self.rows, self.margins)
        for (position, prompt) in new.enumerated() {
            if isCancelled() { throw UnlearningError.cancelled }
            let (row, margin) = try InfluencePreparation.marginGradient(model: model, adapter: adapter, prompt: prompt)
            entries.append(
                InfluencePreparation.Entry(
                    id: prompt.id, digest: prompt.digest, label: prompt.label, row: margins.count))
            rows.append(row)
            margins.append(margin)
            progress(position + 1, new.count)
        }
        guard !margins.isEmpty else { throw ApproximateError.noReferenceRows }
        if isCancelled() { throw UnlearningError.cancelled }
        let start = try start + InfluencePreparation.startMargins(model: model, prompts: new, isCancelled: isCancelled)
        var made = try InfluencePreparation(
            adapter: found, corrections: corrections, entries: entries.sorted { $0.id < $1.id }, margins: margins,
            start: start, rows: rows)
        try made.take(calibration)
        made.cost = PhaseCost(
            seconds: (clock.now - began) / .seconds(1), scoredTokens: new.tokenCount, trainedTokens: new.tokenCount)
        return made
    }
}

extension InfluencePreparation {
    /// Whether what a correction leaves of it may be the next request's.
    public var hasSuccessor: Bool { corrections + 1 < InfluenceSuccessor.correctionsUntilFresh }
}
