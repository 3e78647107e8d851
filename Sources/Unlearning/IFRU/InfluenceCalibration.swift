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
    /// Retained prompts whose actual margin change is compared with the predicted one.
    static let probes = 32

    /// Prompts left out, of `count`: a tenth, at least eight, at most a quarter.
    static func size(of count: Int) -> Int { max(1, min(max(count / 10, 8), count / 4)) }
}

/// λ as a trial chose it, and what the trial showed.
public struct InfluenceCalibration: Codable, Hashable, Sendable {
    /// λ.
    public var damping: Double
    /// What was left between predicted and actual margins: requests with a tolerance below it use probes again.
    public var disagreement: Double
    /// Prompts that were left out.
    public var prompts: Int
    /// Mean Jensen–Shannon divergence, in nats, on these prompts to the training without them: of the adapter as it is, and
    /// as predicted of its correction.
    public var distanceBefore: Double
    public var distanceAfter: Double
}

extension InfluencePreparation {
    /// The same with λ chosen by a trial: the adapter is trained once more without some prompts, and of all λ whose
    /// predictions come true the one is taken that comes nearest to that training on them. Requests then need neither trials
    /// nor probes. Where no λ's full step is within the tolerance, λ stays open and every request tries for itself.
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
        copy.calibration = try work.calibration(
            along: work.gradient(of: named, report: &report), targets: targets, retainedRows: named.retainedRows,
            probes: named.probes(among: retained), report: &report)
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
