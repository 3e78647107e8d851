import LanguageModels
import Messages
import Recommendation
import Unlearning

/// The approximate methods (arXiv 2403.03536, 2307.02147) as a worker runs them.
extension LanguageModelExecutor {
    package func correct(
        _ correction: PendingCorrection, specification: TrainingSpecification, retained: [TrainingPrompt],
        preparation: InfluencePreparation?, progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter {
        let (clock, start) = (ContinuousClock(), ContinuousClock.now)
        let adapter = try Adapter(safetensors: correction.original, model: model.configuration)
        successors[adapter.contentName] = nil
        // What was held out left nothing in the adapter that a correction could take away.
        let request = correction.request.learned(by: specification)
        let learned = specification.learned(of: retained)
        let corrected: (adapter: Adapter, report: CorrectionReport)
        switch correction.method {
        case .e2urec(let configuration):
            let result = try E2URec.unlearn(
                model: model, tokenizer: tokenizer, adapter: adapter, provenance: correction.provenance,
                forget: request.direct + request.rebuilt.map(\.old), retained: learned,
                configuration: configuration
            ) {
                progress(.steps($0.step, of: $0.steps, loss: $0.loss))
            } isCancelled: {
                isCancelled()
            }
            corrected = (
                result.student.adapter,
                CorrectionReport(
                    provenance: result.student.provenance, method: correction.method, e2urec: result.report)
            )
        case .ifru(let configuration):
            let trained = request.trainedPrompts(retained: learned)
            let isReady = preparation?.isOf(adapter: adapter, prompts: trained) ?? false
            let prepared =
                if isReady, let preparation {
                    preparation
                } else {
                    try prepare(
                        adapter: adapter, prompts: trained,
                        trial: InfluenceTrial(specification: specification, configuration: configuration),
                        progress: progress, isCancelled: isCancelled)
                }
            let changed = Set((request.rebuilt.map(\.new) + request.added).map(\.id))
            let result = try IFRU.unlearn(
                model: model, tokenizer: tokenizer, adapter: adapter, provenance: correction.provenance,
                preparation: prepared, request: request,
                retained: learned.filter { !changed.contains($0.id) }, configuration: configuration,
                isCancelled: isCancelled
            ).accepted(under: configuration)
            if isReady { try keepSuccessor(of: prepared, after: result, of: request) }
            corrected = (
                result.corrected.adapter,
                CorrectionReport(
                    provenance: result.corrected.provenance, method: correction.method,
                    preparation: .init(beforehand: isReady, cost: prepared.cost), ifru: result.report)
            )
        }
        let cost = corrected.report.cost
        return TrainedAdapter(
            adapter: corrected.adapter,
            report: TrainingReport(
                adapter: corrected.report.provenance.result, manifest: ShardManifest(of: retained).digest,
                prompts: retained.count, specification: specification, steps: cost.steps, tokens: cost.trainedTokens,
                seconds: (clock.now - start) / .seconds(1), computeSeconds: cost.seconds, epochLosses: [],
                correction: corrected.report))
    }

    package func prepare(
        adapter: Adapter, prompts: [TrainingPrompt], trial: InfluenceTrial, progress: (TrainingProgress) -> Void,
        isCancelled: () -> Bool
    ) throws -> InfluencePreparation {
        let prompts = trial.specification.learned(of: prompts)
        if let ready = try succeeding(adapter: adapter, prompts: prompts, isCancelled: isCancelled) { return ready }
        // Rows first, then the steps of the trial's training.
        let isTried = trial.isWorthwhile(prompts: prompts.count)
        let training =
            isTried ? try AdapterTraining.stepCount(of: prompts, specification: trial.specification) : 0
        let preparation = try InfluencePreparation(
            model: model, tokenizer: tokenizer, adapter: adapter, prompts: prompts,
            progress: { progress(.steps($0, of: $1 + training, loss: 0)) }, isCancelled: isCancelled)
        guard isTried else { return preparation }
        let rows = preparation.referenceCount
        return try preparation.calibrated(
            model: model, tokenizer: tokenizer, adapter: adapter, prompts: prompts, by: trial,
            progress: { progress(.steps(rows + $0.step, of: rows + training, loss: $0.loss)) }, isCancelled: isCancelled
        )
    }
}

extension LanguageModelExecutor {
    /// Bytes of rows, of all successors.
    private static let successorLimit = 1 << 30

    private func keepSuccessor(
        of preparation: InfluencePreparation, after result: IFRU.Result, of request: InfluenceRequest
    ) throws {
        let taken = successors.values.reduce(preparation.rowBytes) { $0 + $1.rowBytes }
        guard preparation.hasSuccessor, taken <= Self.successorLimit else { return }
        let successor = try InfluenceSuccessor(
            of: preparation, after: result, of: request, tokenizer: tokenizer, limit: model.configuration.context)
        successors[successor.adapter] = successor
    }

    /// The preparation that a correction left, if there is one of this adapter and these prompts; it takes seconds.
    private func succeeding(
        adapter: Adapter, prompts: [TrainingPrompt], isCancelled: () -> Bool
    ) throws -> InfluencePreparation? {
        guard let successor = successors.removeValue(forKey: adapter.contentName) else { return nil }
        let model = try model.answering(prompts, tokenizer)
        let made = try successor.preparation(model: model, adapter: adapter, isCancelled: isCancelled)
        return made.isOf(adapter: adapter, prompts: prompts) ? made : nil
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
