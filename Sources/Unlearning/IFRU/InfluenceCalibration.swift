import Foundation
import LanguageModels
import Recommendation

/// What calibrates λ: a second training, like the adapter's own but without some of its prompts.
public struct InfluenceTrial: Codable, Hashable, Sendable {
    /// That of the adapter's training.
    public var specification: TrainingSpecification
    /// Its tolerance and its cap on the divergence hold for λ; multiples in its damping replace the usual ones.
    public var configuration: IFRUConfiguration

    public init(specification: TrainingSpecification, configuration: IFRUConfiguration = IFRUConfiguration()) {
        self.specification = specification
        self.configuration = configuration
    }

    /// A handful of prompts cannot do without some.
    static let fewestPrompts = 4

    /// Whether requests would ask what it shows: not where the configuration names λ itself.
    public func isWorthwhile(prompts count: Int) -> Bool {
        configuration.damping == .prepared && count >= Self.fewestPrompts
    }

    /// Of the mean curvature. A training ends long before its loss is at a minimum: then a λ far above the curvature
    /// comes nearest to what it would have done without a prompt.
    static let multiples = (-4...10).map { pow(10, Double($0) / 2) }
    /// ρ of a refit, of the rows' mean square ‖∇m‖²: from a regression that reaches every label to one that hardly learns.
    static let ridges = (-14...0).map { pow(10, Double($0) / 2) }
    /// Those that come nearest by prediction are tried out.
    static let refits = 6
    /// Of the reply of what is retained.
    static let shares = [0, 0.5, 1.0]
    /// Retained prompts whose actual margin change is compared with the predicted one.
    static let probes = 32

    /// Prompts left out, of `count`: a tenth, at least eight, at most a quarter.
    static func size(of count: Int) -> Int { max(1, min(max(count / 10, 8), count / 4)) }
}

/// λ as a trial chose it, and what the trial showed.
public struct InfluenceCalibration: Codable, Hashable, Sendable {
    /// How a request is solved.
    public enum Solution: String, Codable, CaseIterable, Sendable {
        /// One damped Gauss–Newton step from the adapter, as in arXiv 2307.02147.
        case step
        /// The linearised training solved again without what is forgotten, or what it gave taken back: `DualRegression`.
        case refit
    }

    /// nil, in reports of before: a step.
    public var solution: Solution?
    /// λ of a step; ρ of a refit.
    public var damping: Double
    /// Of a refit: how much of what the retained prompts would reply is in it, from 0 to 1; see `InfluenceRefit`.
    public var share: Double?
    /// What was left between predicted and actual margins, or of a refit of the distance before: requests with a tolerance below
    /// it use probes again.
    public var disagreement: Double
    /// Prompts that were left out.
    public var prompts: Int
    /// Mean Jensen–Shannon divergence, in nats, on these prompts to the training without them: of the adapter as it is, and
    /// of its correction, as predicted of a step, as measured of a refit.
    public var distanceBefore: Double
    public var distanceAfter: Double
}

extension InfluencePreparation {
    /// The same with solution and λ chosen by a trial: the adapter is trained once more without some prompts, and of all steps
    /// and refits whose predictions come true the one is taken that comes nearest to that training on them. Requests then need
    /// neither trials nor probes. Where nothing is within the tolerance, λ stays open and every request tries for itself.
    ///
    /// Where the adapter has hardly fitted its prompts the two are much alike; where it has memorised them, only a refit moves.
    ///
    /// - `prompts`: those that the preparation was made from, at least four.
    /// - `progress`: of the training.
    /// - Throws: as `AdapterTraining.train` and `IFRU.unlearn`.
    public func calibrated(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, prompts: [TrainingPrompt],
        by trial: InfluenceTrial, progress: (TrainingProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        try trial.configuration.check()
        guard prompts.count >= InfluenceTrial.fewestPrompts else { throw UnlearningError.noSamples }
        let clock = ContinuousClock()
        let began = clock.now
        let model = try model.answering(prompts, tokenizer)
        let (left, retained) = split(prompts, seed: trial.specification.seed)
        let trained = try AdapterTraining.train(
            model: model, tokenizer: tokenizer, samples: retained, specification: trial.specification,
            progress: progress, isCancelled: isCancelled)
        var report = IFRUReport(
            direct: left.count, rebuilt: 0, parameters: parameters, references: referenceCount, corrections: 1)
        var configuration = trial.configuration
        configuration.probes = max(configuration.probes, InfluenceTrial.probes)
        if configuration.damping == .prepared { configuration.damping = .relative(InfluenceTrial.multiples) }
        let work = InfluenceCorrection(
            model: model, tokenizer: tokenizer, adapter: adapter, preparation: self, configuration: configuration)
        let request = InfluenceRequest(direct: left)
        let named = try NamedPrompts(request, preparation: self, model: model, tokenizer: tokenizer)
        let logits = try model.answerLogits(
            prompts: named.direct.map(\.prompt.tokens), adapters: AdapterMixture([trained.adapter]), weights: nil)
        if isCancelled() { throw UnlearningError.cancelled }
        let targets = zip(named.direct, logits).compactMap { named, logits in
            named.entry.row.map { (row: $0, margin: Double(logits.margin)) }
        }
        var copy = self
        let probes = named.probes(among: retained)
        var best = try work.calibration(
            along: work.gradient(of: named, report: &report), targets: targets, retainedRows: named.retainedRows,
            probes: probes, report: &report)
        if trial.configuration.damping == .prepared,
            let refit = try work.refitCalibration(
                of: named, targets: targets, probes: probes, isCancelled: isCancelled, report: &report),
            refit.distanceAfter < best?.distanceAfter ?? .infinity
        {
            best = refit
        }
        try copy.take(best)
        var spent = report.solving + report.gradient
        spent.seconds = (clock.now - began) / .seconds(1)
        spent.trainedTokens += trained.report.tokens
        spent.scoredTokens += named.direct.map(\.prompt).tokenCount
        copy.cost = cost + spent
        return copy
    }

    /// Some prompts that have rows, by a keyed hash, and all others.
    private func split(
        _ prompts: [TrainingPrompt], seed: UInt64
    ) -> (left: [TrainingPrompt], retained: [TrainingPrompt]) {
        let rows = Set(entries.filter { $0.row != nil }.map(\.id))
        let keyed = prompts.filter { rows.contains($0.id) }.map {
            (key: FieldHash.number(["ifru calibration", String(seed), $0.id]), prompt: $0)
        }
        let ordered = keyed.sorted { ($0.key, $0.prompt.id) < ($1.key, $1.prompt.id) }.map(\.prompt)
        let left = ordered.prefix(min(InfluenceTrial.size(of: prompts.count), max(1, ordered.count / 2)))
        let gone = Set(left.map(\.id))
        return (Array(left), prompts.filter { !gone.contains($0.id) })
    }
}
