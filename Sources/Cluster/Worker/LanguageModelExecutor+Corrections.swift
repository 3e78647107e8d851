import LanguageModels
import Recommendation
import Unlearning

/// The approximate methods (arXiv 2403.03536, 2307.02147) as a worker runs them.
extension LanguageModelExecutor {
    public func correct(
        _ correction: PendingCorrection, retained: [TrainingPrompt], preparation: InfluencePreparation?,
        progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> CorrectedAdapter {
        let adapter = try Adapter(safetensors: correction.original, model: model.configuration)
        switch correction.method {
        case .e2urec(let configuration):
            let result = try E2URec.unlearn(
                model: model, tokenizer: tokenizer, adapter: adapter, provenance: correction.provenance,
                forget: correction.request.direct + correction.request.rebuilt.map(\.old), retained: retained,
                configuration: configuration
            ) {
                progress(.steps($0.step, of: $0.steps, loss: $0.loss))
            } isCancelled: {
                isCancelled()
            }
            return CorrectedAdapter(
                adapter: result.student.adapter,
                approximation: Approximation(
                    provenance: result.student.provenance, method: correction.method, e2urec: result.report))
        case .ifru(let configuration):
            let trained = correction.request.trainedPrompts(retained: retained)
            let isReady = preparation?.isOf(adapter: adapter, prompts: trained) ?? false
            let prepared =
                if isReady, let preparation {
                    preparation
                } else {
                    try prepare(adapter: adapter, prompts: trained, progress: progress, isCancelled: isCancelled)
                }
            let changed = Set((correction.request.rebuilt.map(\.new) + correction.request.added).map(\.id))
            let result = try IFRU.unlearn(
                model: model, tokenizer: tokenizer, adapter: adapter, provenance: correction.provenance,
                preparation: prepared, request: correction.request,
                retained: retained.filter { !changed.contains($0.id) }, configuration: configuration,
                isCancelled: isCancelled)
            guard result.report.isWithinTolerance else {
                throw ApproximateError.predictionsDoNotHold(
                    disagreement: result.report.disagreement ?? 0, tolerance: configuration.tolerance)
            }
            return CorrectedAdapter(
                adapter: result.corrected.adapter,
                approximation: Approximation(
                    provenance: result.corrected.provenance, method: correction.method,
                    preparation: .init(beforehand: isReady, cost: prepared.cost), ifru: result.report))
        }
    }

    public func prepare(
        adapter: Adapter, prompts: [TrainingPrompt], progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> InfluencePreparation {
        let preparation = try InfluencePreparation(
            model: model, tokenizer: tokenizer, adapter: adapter, prompts: prompts,
            progress: { progress(.steps($0, of: $1, loss: 0)) }, isCancelled: isCancelled)
        // A share of the prompts is forgotten for a trial, which a handful of them does not allow.
        guard prompts.count >= 4 else { return preparation }
        return try preparation.calibrated(
            model: model, tokenizer: tokenizer, adapter: adapter, prompts: prompts, isCancelled: isCancelled)
    }
}

extension TrainingProgress {
    /// Of work that is counted in steps only.
    fileprivate static func steps(_ step: Int, of steps: Int, loss: Double) -> TrainingProgress {
        TrainingProgress(step: step, steps: steps, epoch: 0, loss: loss, tokens: 0, totalTokens: 0)
    }
}

extension InfluenceRequest {
    /// What the adapter was trained on: the present prompts with the request taken back.
    fileprivate func trainedPrompts(retained: [TrainingPrompt]) -> [TrainingPrompt] {
        let changed = Set((rebuilt.map(\.new) + added).map(\.id))
        return retained.filter { !changed.contains($0.id) } + rebuilt.map(\.old) + direct
    }
}

extension InfluencePreparation {
    /// Whether it was made at this adapter from exactly these prompts.
    fileprivate func isOf(adapter: Adapter, prompts: [TrainingPrompt]) -> Bool {
        guard self.adapter == adapter.contentName, entries.count == prompts.count else { return false }
        let digests = Dictionary(prompts.map { ($0.id, $0.digest) }, uniquingKeysWith: { first, _ in first })
        return entries.allSatisfy { digests[$0.id] == $0.digest }
    }
}
