import LanguageModels
import Recommendation

/// Forgets by one step of an influence function that also sees how the forgotten data changed other prompts
/// (arXiv 2307.02147), on a LoRA adapter.
///
/// With the mean loss L = (1/N)·Σ ℓ of the training, the gradient of what has to go is
/// g = Σ_direct ∇ℓ(x) + Σ_rebuilt [∇ℓ(x) − ∇ℓ(x′)] − Σ_added ∇ℓ(x′);
/// the correction is Φ + s·p/N with (JᵀJ/n + λ·1)·p = g, solved exactly. λ and the step s ≤ 1 are chosen without any label
/// beyond the training's: by a cap on how far the answers to retained prompts may move, and by comparing predicted with
/// actual changes of their margins.
///
/// g and the curvature vanish where the training's prompts are memorised. A preparation that was calibrated knows whether the
/// linearised training, solved again without what is forgotten (`DualRegression`, `InfluenceRefit`), comes nearer to a
/// retraining than such a step, or margins that are taken back to where the training began (`InfluenceInterpolation`); then
/// that is the correction, of all prompts of the request at once.
///
/// The result is approximate: to first order, around weights that saw the forgotten data.
public enum IFRU {
    public struct Result: Sendable {
        public var corrected: ApproximateAdapter
        public var report: IFRUReport
        /// By how much each row's margin was predicted to change.
        var predicted: [Double]

        /// Why the result may not be used, so that the shard is retrained; nil: it may.
        ///
        /// - Parameter configuration: that of the correction.
        public func refusal(under configuration: IFRUConfiguration) -> ApproximateError? {
            guard !report.isWithinTolerance else { return nil }
            guard let found = report.disagreement, found > configuration.tolerance else {
                return .retainedAnswersMove(cap: configuration.divergenceCap)
            }
            return .predictionsDoNotHold(disagreement: found, tolerance: configuration.tolerance)
        }

        /// The result where it may be used: whoever gets an error retrains.
        ///
        /// - Parameter configuration: that of the correction.
        /// - Throws: `ApproximateError.predictionsDoNotHold`, `.retainedAnswersMove`.
        public func accepted(under configuration: IFRUConfiguration) throws -> Result {
            if let reason = refusal(under: configuration) { throw reason }
            return self
        }
    }

    /// - `adapter`: that of the preparation.
    /// - `provenance`: how `adapter` came to be.
    /// - `retained`: prompts that may be used to compare predicted with actual margins; those that the request names or
    ///   that have no row are passed over. None: predictions are trusted.
    /// - `memoryLimit`: bytes that rows which the request needs and the preparation does not have may take, with the products of
    ///   all rows: each costs a backward pass as well. Only refits and interpolations have any.
    /// - Throws: `ApproximateError` (`.emptyForgetSet`, `.emptyRetainedSet`, `.forgetSetLargerThanRetained`,
    ///   `.dampingNotPositive`, `.noReferenceRows` when no row belongs to a retained prompt, `.unknownPrompt`,
    ///   `.preparationOfAnotherAdapter`, `.preparationTooLarge`), `UnlearningError` (`.invalidSpecification`, `.duplicateSample`, `.emptyPrompt`,
    ///   `.notFinite`, `.cancelled`); whatever the model throws.
    public static func unlearn(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, provenance: AdapterProvenance = .trained,
        preparation: InfluencePreparation, request: InfluenceRequest, retained: [TrainingPrompt] = [],
        configuration: IFRUConfiguration = IFRUConfiguration(),
        memoryLimit: Int = InfluencePreparation.defaultMemoryLimit, isCancelled: () -> Bool = { false }
    ) throws -> Result {
        try configuration.check()
        let found = adapter.contentName
        guard preparation.adapter == found, preparation.parameters == adapter.layout.count else {
            throw ApproximateError.preparationOfAnotherAdapter(expected: preparation.adapter, found: found)
        }
        guard preparation.referenceCount > 0 else { throw ApproximateError.noReferenceRows }
        let model = try model.answering([retained, request.prompts].joined(), tokenizer)
        let clock = ContinuousClock()
        let began = clock.now
        var report = IFRUReport(
            direct: request.direct.count, rebuilt: request.rebuilt.count, parameters: preparation.parameters,
            references: preparation.referenceCount, corrections: preparation.corrections + 1)
        let work = InfluenceCorrection(
            model: model, tokenizer: tokenizer, adapter: adapter, preparation: preparation,
            configuration: configuration, memoryLimit: memoryLimit)
        let named = try NamedPrompts(request, preparation: preparation, model: model, tokenizer: tokenizer)
        if isCancelled() { throw UnlearningError.cancelled }
        let probes = work.needsProbes ? named.probes(among: retained) : []
        let solve: (inout IFRUReport) throws -> ([Float], predicted: [Double])
        if let known = work.prepared(.refit) {
            let refit = try work.rows(InfluenceRefit.self, of: named, report: &report)
            solve = {
                try work.correct(
                    by: refit, as: known, retainedRows: named.retainedRows, probes: probes, report: &$0)
            }
        } else if let known = work.prepared(.interpolation) {
            let interpolation = try work.rows(InfluenceInterpolation.self, of: named, report: &report)
            solve = {
                try work.correct(
                    by: interpolation, as: known, retainedRows: named.retainedRows, probes: probes, report: &$0)
            }
        } else {
            let gradient = try work.gradient(of: named, report: &report)
            solve = {
                try work.correct(
                    along: gradient, retainedRows: named.retainedRows, probes: probes, report: &$0)
            }
        }
        report.gradient.seconds = (clock.now - began) / .seconds(1)
        if isCancelled() { throw UnlearningError.cancelled }
        let solving = clock.now
        let (values, predicted) = try solve(&report)
        if configuration.damping == .prepared { report.calibration = preparation.calibration }
        report.forgottenMargins = MarginChange(of: named.forgotten, predicted: predicted)
        report.solving.seconds = (clock.now - solving) / .seconds(1)
        return Result(
            corrected: try ApproximateAdapter(
                Adapter(layout: adapter.layout, values: values), method: .ifru, original: adapter, history: provenance,
                forgotten: request.direct.count + request.rebuilt.count),
            report: report, predicted: predicted)
    }

    /// g of a request as a vector of the adapter's size: for tests and comparisons.
    package static func gradient(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, preparation: InfluencePreparation,
        request: InfluenceRequest, configuration: IFRUConfiguration = IFRUConfiguration()
    ) throws -> InfluenceGradient {
        var report = IFRUReport(direct: 0, rebuilt: 0, parameters: 0, references: 0, corrections: 0)
        let work = InfluenceCorrection(
            model: model, tokenizer: tokenizer, adapter: adapter, preparation: preparation,
            configuration: configuration)
        let named = try NamedPrompts(request, preparation: preparation, model: model, tokenizer: tokenizer)
        return try work.gradient(of: named, report: &report)
    }
}

/// What a correction by IFRU took and how it was chosen.
public struct IFRUReport: Codable, Hashable, Sendable {
    public var direct: Int
    public var rebuilt: Int
    /// Rebuilt prompts left out for their small importance.
    public var pruned = 0
    public var parameters: Int
    public var references: Int
    /// Corrections since the preparation's rows were fresh, this one included.
    public var corrections: Int
    /// Prompts that needed a backward pass.
    public var backwardPrompts = 0
    /// λ of a step, ρ of a refit or ε of an interpolation, and the multiple of the full step that was taken.
    public var damping = 0.0
    public var step = 0.0
    /// Mean KL divergence of the retained prompts' answers, in nats, as predicted.
    public var predictedDivergence = 0.0
    /// What λ was chosen by; nil: the request tried for itself.
    public var calibration: InfluenceCalibration?
    /// How the margins of the prompts that had to go were predicted to change; nil: none of them had a row.
    public var forgottenMargins: MarginChange?
    /// ‖actual − predicted‖ ÷ ‖predicted‖ over the probes, predictions below the arithmetic's resolution counted as that;
    /// nil without probes.
    public var disagreement: Double?
    /// False when no λ and step brought prediction and reality within the tolerance, and the best ones were taken; of an
    /// interpolation when it moved retained answers beyond the divergence cap.
    public var isWithinTolerance = true
    /// Gradient of the request; solve, choice of λ and step.
    public var gradient = PhaseCost()
    public var solving = PhaseCost()

    public var total: PhaseCost { gradient + solving }
}
