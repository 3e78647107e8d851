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
    /// Multiples of the first-order change of an interpolation, each tried out; further on the retained prompts move, too.
    static let overshoots = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2]
    /// A refit is taken where an interpolation ends more than so many times as far from the trial's training.
    static let handicap = 2.0
    /// Single prompts on which the factor of the smallest request is tried.
    static let singles = 4
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
        /// The margins of what is forgotten are taken back to where the training began, all others stay:
        /// `InfluenceInterpolation`.
        case interpolation
    }

    /// nil, in reports of before: a step. An interpolation is written without it, and known by its `overshoots`.
    public var solution: Solution?
    /// λ of a step; ρ of a refit; ε of an interpolation.
    public var damping: Double
    /// Of an interpolation: by rising share.
    public var overshoots: [InfluenceOvershoot]?
    /// Of an interpolation: how far the margins came in the trial, of the way back to where the training began.
    public var way: Double?
    /// Of a refit: how much of what the retained prompts would reply is in it, from 0 to 1; see `InfluenceRefit`.
    public var share: Double?
    /// What was left between predicted and actual margins, or else of the distance before: requests with a tolerance below
    /// it use probes again.
    public var disagreement: Double
    /// Prompts that were left out.
    public var prompts: Int
    /// Mean Jensen–Shannon divergence, in nats, on these prompts to the training without them: of the adapter as it is, and
    /// of its correction, as predicted of a step, as measured of a refit and an interpolation.
    public var distanceBefore: Double
    public var distanceAfter: Double
}

/// How far an interpolation goes beyond its first order where it takes a share of the training's prompts back.
public struct InfluenceOvershoot: Codable, Hashable, Sendable {
    /// Of the training's prompts, from 0 to 1.
    public var share: Double
    /// Of the first-order change.
    public var factor: Double
    /// How far the margins came with it, of the way back to where the training began: as far as in the trial, or less where the
    /// largest factor did not reach that; nil, in calibrations of before: as far as in the trial.
    public var way: Double?
}

// What came later stands in a field of its own: whoever does not know interpolations, and their name, reads on.
extension InfluenceCalibration {
    private enum CodingKeys: String, CodingKey {
        case solution, damping, overshoots, way, share, disagreement, prompts, distanceBefore, distanceAfter
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let overshoots = try container.decodeIfPresent([InfluenceOvershoot].self, forKey: .overshoots)
        self.init(
            solution: overshoots == nil
                ? try container.decodeIfPresent(Solution.self, forKey: .solution) : .interpolation,
            damping: try container.decode(Double.self, forKey: .damping), overshoots: overshoots,
            way: try container.decodeIfPresent(Double.self, forKey: .way),
            share: try container.decodeIfPresent(Double.self, forKey: .share),
            disagreement: try container.decode(Double.self, forKey: .disagreement),
            prompts: try container.decode(Int.self, forKey: .prompts),
            distanceBefore: try container.decode(Double.self, forKey: .distanceBefore),
            distanceAfter: try container.decode(Double.self, forKey: .distanceAfter))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(solution == .interpolation ? nil : solution, forKey: .solution)
        try container.encode(damping, forKey: .damping)
        try container.encodeIfPresent(overshoots, forKey: .overshoots)
        try container.encodeIfPresent(way, forKey: .way)
        try container.encodeIfPresent(share, forKey: .share)
        try container.encode(disagreement, forKey: .disagreement)
        try container.encode(prompts, forKey: .prompts)
        try container.encode(distanceBefore, forKey: .distanceBefore)
        try container.encode(distanceAfter, forKey: .distanceAfter)
    }
}

extension InfluenceCalibration {
    package func overshoot(share: Double) -> Double { between(share) { $0.factor } ?? 1 }

    /// How far the margins of a request of this share are expected to come on their way back; nil: no trial said so.
    package func way(share: Double) -> Double? { between(share) { $0.way ?? way } ?? way }

    /// Between two shares on a straight line, beyond them as at the nearest.
    private func between(_ share: Double, _ value: (InfluenceOvershoot) -> Double?) -> Double? {
        guard let overshoots, let first = overshoots.first, let last = overshoots.last else { return nil }
        guard share > first.share else { return value(first) }
        for (low, high) in zip(overshoots, overshoots.dropFirst()) where high.share > low.share {
            guard share <= high.share else { continue }
            guard let lower = value(low), let upper = value(high) else { return nil }
            return lower + (share - low.share) / (high.share - low.share) * (upper - lower)
        }
        return value(last)
    }
}

extension InfluencePreparation {
    /// The same with solution and λ chosen by a trial: the adapter is trained once more without some prompts, and of all steps,
    /// refits and interpolations that come true the one is taken that comes nearest to that training on them, a refit only if
    /// it is clearly nearer. Requests then need no trials, and probes only where more was left than their tolerance. Where no
    /// step or refit is within the tolerance and no interpolation brings margins nearer, λ stays open and every request tries
    /// for itself.
    ///
    /// Where the adapter has hardly fitted its prompts these are much alike; where it has memorised them, a step does not move.
    ///
    /// - `prompts`: those that the preparation was made from, at least four.
    /// - `progress`: of the training.
    /// - Throws: as `AdapterTraining.train` and `IFRU.unlearn`.
    public func calibrated(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, prompts: [TrainingPrompt],
        by trial: InfluenceTrial, progress: (TrainingProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        try calibrated(
            model: model, tokenizer: tokenizer, adapter: adapter, prompts: prompts, by: trial,
            among: InfluenceCalibration.Solution.allCases, progress: progress, isCancelled: isCancelled)
    }

    /// The same among some of the solutions.
    package func calibrated(
        model: any AnswerModel, tokenizer: any Tokenizer, adapter: Adapter, prompts: [TrainingPrompt],
        by trial: InfluenceTrial, among solutions: [InfluenceCalibration.Solution],
        progress: (TrainingProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> InfluencePreparation {
        try trial.configuration.check()
        guard prompts.count >= InfluenceTrial.fewestPrompts else { throw UnlearningError.noSamples }
        let clock = ContinuousClock()
        let began = clock.now
        let model = try model.answering(prompts, tokenizer)
        let (left, retained) = try split(
            prompts, seed: trial.specification.seed, tokenizer: tokenizer, limit: model.configuration.context)
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
        let isOpen = trial.configuration.damping == .prepared
        var best: InfluenceCalibration?
        func consider(_ found: InfluenceCalibration?) {
            if let found, found.distanceAfter < best?.distanceAfter ?? .infinity { best = found }
        }
        if solutions.contains(.step) {
            consider(
                try work.calibration(
                    along: work.gradient(of: named, report: &report), targets: targets,
                    retainedRows: named.retainedRows, probes: probes, report: &report))
        }
        if isOpen, solutions.contains(.refit) {
            consider(
                try work.refitCalibration(
                    of: named, targets: targets, probes: probes, isCancelled: isCancelled, report: &report))
        }
        if isOpen, solutions.contains(.interpolation) {
            var prepared = self
            // One factor for all that is tried.
            prepared.factor = try interpolationFactor().lower
            copy.factor = prepared.factor
            let work = InfluenceCorrection(
                model: model, tokenizer: tokenizer, adapter: adapter, preparation: prepared,
                configuration: configuration)
            let found = try work.interpolationCalibration(
                of: named, targets: targets, probes: Array(probes.prefix(InfluenceTrial.probes)),
                prompts: rowPrompts(prompts), order: targets.map(\.row) + named.retainedRows,
                isCancelled: isCancelled, report: &report)
            // A refit is the best of many on a few prompts, and nothing holds it where more have to go: it has to be clearly
            // nearer.
            let handicap = best?.solution == .refit ? InfluenceTrial.handicap : 1
            if let found, found.distanceAfter < handicap * (best?.distanceAfter ?? .infinity) { best = found }
        }
        try copy.take(best)
        var spent = report.solving + report.gradient
        spent.seconds = (clock.now - began) / .seconds(1)
        spent.trainedTokens += trained.report.tokens
        spent.scoredTokens += named.direct.map(\.prompt).tokenCount
        copy.cost = cost + spent
        return copy
    }

    /// Those that have a row, by row.
    private func rowPrompts(_ prompts: [TrainingPrompt]) -> [Int: TrainingPrompt] {
        Dictionary(
            prompts.compactMap { prompt in
                positions[prompt.id].flatMap { entries[$0].row }.map { ($0, prompt) }
            }, uniquingKeysWith: { $1 })
    }

    /// Some prompts that have rows, by a keyed hash, each with those that resemble it, and all others: who is forgotten is
    /// forgotten with all prompts, and a training that kept some of them knows more about the others than one without any.
    private func split(
        _ prompts: [TrainingPrompt], seed: UInt64, tokenizer: any Tokenizer, limit: Int
    ) throws -> (left: [TrainingPrompt], retained: [TrainingPrompt]) {
        let rows = Set(entries.filter { $0.row != nil }.map(\.id))
        let keyed = prompts.filter { rows.contains($0.id) }.map {
            (key: FieldHash.number(["ifru calibration", String(seed), $0.id]), prompt: $0)
        }
        let ordered = keyed.sorted { ($0.key, $0.prompt.id) < ($1.key, $1.prompt.id) }.map(\.prompt)
        let neighbours = PromptNeighbours(try ordered.map { try tokenizer.encode($0, context: limit) })
        let left = neighbours.taking(
            min(InfluenceTrial.size(of: prompts.count), max(1, ordered.count / 2)), of: Array(ordered.indices)
        ).map { ordered[$0] }
        let gone = Set(left.map(\.id))
        return (left, prompts.filter { !gone.contains($0.id) })
    }
}
