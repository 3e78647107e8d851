import LanguageModels
import Recommendation

extension InfluencePreparation {
    /// The preparation for the next request, after a correction was made: without any row of the direct prompts and of the
    /// old versions of rebuilt ones, with fresh rows of the new versions, at the corrected adapter.
    ///
    /// Rows of prompts that the request did not touch stay those of the adapter before; their margins are moved by
    /// the predicted change. `corrections` counts how often: prepare anew when it grows, or when
    /// `IFRUReport.disagreement` does. λ stays as calibrated.
    ///
    /// - Throws: as `IFRU.unlearn`; `ApproximateError.preparationOfAnotherAdapter` when the result is not of this preparation.
    public func updated(
        model: any AnswerModel, tokenizer: any Tokenizer, after result: IFRU.Result, of request: InfluenceRequest,
        isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        let provenance = result.corrected.provenance
        guard provenance.original == adapter, result.predicted.count == referenceCount else {
            throw ApproximateError.preparationOfAnotherAdapter(expected: adapter, found: provenance.original)
        }
        let limit = model.configuration.context
        let gone = Set((request.direct + request.rebuilt.map(\.old)).map(\.id))
        let kept = entries.filter { !gone.contains($0.id) }
        let new = try TokenizedPrompt.all(
            request.rebuilt.map(\.new) + request.added, tokenizer: tokenizer, limit: limit)
        var rows = rows.selecting(kept.compactMap(\.row))
        var margins = kept.compactMap(\.row).map { self.margins[$0] + Float(result.predicted[$0]) }
        var entries = kept
        var next = 0
        for position in entries.indices where entries[position].row != nil {
            entries[position].row = next
            next += 1
        }
        for prompt in new {
            if isCancelled() { throw UnlearningError.cancelled }
            let (row, margin) = try Self.marginGradient(
                model: model, adapter: result.corrected.adapter, prompt: prompt)
            entries.append(Entry(id: prompt.id, digest: prompt.digest, label: prompt.label, row: margins.count))
            rows.append(row)
            margins.append(margin)
        }
        guard !margins.isEmpty else { throw ApproximateError.noReferenceRows }
        var updated = try InfluencePreparation(
            adapter: provenance.result, corrections: corrections + 1, entries: entries.sorted { $0.id < $1.id },
            margins: margins, rows: rows, damping: damping)
        updated.disagreement = disagreement
        return updated
    }

    /// The same with λ chosen by trial requests: some prompts of the training are forgotten for a trial, and the smallest
    /// λ is taken whose predictions come true. Requests then need neither trials nor probes. Where no λ's full step is within
    /// the tolerance, λ stays open and every request tries for itself.
    ///
    /// - Parameters:
    ///   - prompts: those that the preparation was made from.
    ///   - share: of the prompts, forgotten in the trial; at least one.
    ///   - configuration: its damping is what is tried; `.prepared` means the default multiples.
    /// - Throws: as `IFRU.unlearn`.
    public func calibrated(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, prompts: [TrainingPrompt],
        share: Double = 0.05, seed: UInt64 = 0, configuration: IFRUConfiguration = IFRUConfiguration(probes: 32),
        isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        guard share > 0, share <= 0.5 else {
            throw UnlearningError.invalidSpecification(reason: "the trial's share must lie above 0 and up to one half")
        }
        guard configuration.probes > 0 else {
            throw UnlearningError.invalidSpecification(reason: "a calibration needs probes")
        }
        let keys = prompts.map { FieldHash.number(["ifru calibration", String(seed), $0.id]) }
        let order = prompts.indices.sorted { (keys[$0], prompts[$0].id) < (keys[$1], prompts[$1].id) }
        let count = max(1, Int(share * Double(prompts.count)))
        var (trial, copy) = (configuration, self)
        if trial.damping == .prepared { trial.damping = .relative(IFRUConfiguration.Damping.defaultMultiples) }
        let result = try IFRU.unlearn(
            model: model, tokenizer: tokenizer, adapter: adapter, preparation: self,
            request: InfluenceRequest(direct: order.prefix(count).map { prompts[$0] }),
            retained: order.dropFirst(count).map { prompts[$0] }, configuration: trial, isCancelled: isCancelled)
        if result.report.isWithinTolerance && result.report.step == 1 {
            copy.damping = result.report.damping
            copy.disagreement = result.report.disagreement
        }
        copy.cost = cost + result.report.total
        return copy
    }
}
