import LanguageModels
import Recommendation

/// The two steps of a correction: the request's gradient, then λ, step and the corrected factors.
struct InfluenceCorrection {
    let model: any AnswerModel
    let tokenizer: any Tokenizer
    let adapter: Adapter
    let preparation: InfluencePreparation
    let configuration: IFRUConfiguration
    /// Bytes that the fresh rows of a request may take, with what is computed of them.
    var memoryLimit = InfluencePreparation.defaultMemoryLimit

    /// g = Σ_direct ∇ℓ(x) + Σ_rebuilt [∇ℓ(x) − ∇ℓ(x′)] − Σ_added ∇ℓ(x′), with the logistic loss
    /// ∇ℓ = (σ(m) − y)·∇m. What has a row is a coefficient; the rest takes one backward pass together.
    func gradient(of named: NamedPrompts, report: inout IFRUReport) throws -> InfluenceGradient {
        var coefficients = [Double](repeating: 0, count: preparation.referenceCount)
        var fresh: [(prompt: TokenizedPrompt, sign: Double)] = []
        func include(_ prompt: TokenizedPrompt, _ entry: InfluencePreparation.Entry) {
            if let row = entry.row {
                coefficients[row] += Self.slope(margin: Double(preparation.margins[row]), label: prompt.label)
            } else {
                fresh.append((prompt, 1))
            }
        }
        for (prompt, entry) in named.direct { include(prompt, entry) }
        if configuration.spillover {
            for change in try important(named.rebuilt, report: &report) {
                include(change.old, change.entry)
                fresh.append((change.new, -1))
            }
            fresh += named.added.map { ($0, -1) }
        }
        guard !fresh.isEmpty else { return InfluenceGradient(coefficients: coefficients) }
        let result = try model.gradient(prompts: fresh.map(\.prompt.tokens), adapter: adapter) { index, logits in
            let (prompt, sign) = fresh[index]
            let slope = Float(sign * Self.slope(margin: Double(logits.margin), label: prompt.label))
            return AnswerLogits(yes: slope, no: -slope)
        }
        guard result.gradient.allSatisfy(\.isFinite), result.logits.allSatisfy(\.margin.isFinite) else {
            throw UnlearningError.notFinite(what: "the gradient of rebuilt prompts")
        }
        report.backwardPrompts = fresh.count
        report.gradient.trainedTokens += fresh.map(\.prompt).tokenCount
        return InfluenceGradient(coefficients: coefficients, rest: result.gradient)
    }

    /// ∂ℓ/∂m of the logistic loss.
    private static func slope(margin: Double, label: Bool) -> Double {
        Metrics.probability(margin: margin) - (label ? 1 : 0)
    }

    /// The rebuilt prompts without the least important ones.
    func important(
        _ rebuilt: [NamedPrompts.Rebuilt], report: inout IFRUReport
    ) throws -> [NamedPrompts.Rebuilt] {
        let dropped = Int((configuration.pruning * Double(rebuilt.count)).rounded(.down))
        guard dropped > 0 else { return rebuilt }
        let scores: [Double]
        switch configuration.importance {
        case .history: scores = rebuilt.map(\.forgottenShare)
        case .margin:
            let prompts = rebuilt.flatMap { [$0.old.tokens, $0.new.tokens] }
            let logits = try model.answerLogits(prompts: prompts, adapters: AdapterMixture([adapter]), weights: nil)
            scores = rebuilt.indices.map { Double(abs(logits[2 * $0].margin - logits[2 * $0 + 1].margin)) }
            report.gradient.scoredTokens += prompts.reduce(0) { $0 + $1.count }
        }
        guard scores.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the prompts' importance") }
        report.pruned = dropped
        // Of equal scores the first by id stay.
        let order = rebuilt.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        return order.dropLast(dropped).sorted().map { rebuilt[$0] }
    }

    /// By how much bf16 arithmetic moves a margin.
    private static let resolution = 0.05

    /// One λ and step, with what they lead to.
    private struct Trial {
        var values: [Float]
        var damping: Double
        var step: Double
        var predicted: [Double]
        var disagreement: Double?
    }

    /// The corrected factors, and by how much every row's margin is predicted to change.
    ///
    /// From the smallest λ on, the first is taken whose full step stays under the divergence cap and whose prediction comes
    /// true; if there is none, a smaller step of the largest λ.
    func correct(
        along gradient: InfluenceGradient, retainedRows: [Int], probes: [(row: Int, prompt: TrainingPrompt)],
        report: inout IFRUReport
    ) throws -> ([Float], predicted: [Double]) {
        guard !gradient.isZero else {
            return (adapter.values, [Double](repeating: 0, count: preparation.referenceCount))
        }
        let solver = InfluenceSolver(preparation: preparation, gradient: gradient)
        let dampings = self.dampings
        var best: Trial?
        for (position, damping) in dampings.enumerated() {
            let solution = try solver.solve(damping: damping)
            report.solving.steps += 1
            let largest = cappedStep(solution, rows: retainedRows)
            let isLast = position == dampings.count - 1
            if largest < 1 && !isLast { continue }
            for halving in 0..<(isLast && !probes.isEmpty ? 5 : 1) {
                let step = largest / Double(1 << halving)
                let trial = try attempt(
                    solver: solver, solution: solution, step: step, probes: probes, report: &report)
                if (trial.disagreement ?? 0) <= configuration.tolerance {
                    return accept(trial, rows: retainedRows, report: &report)
                }
                if (trial.disagreement ?? 0) < (best?.disagreement ?? .infinity) { best = trial }
            }
        }
        guard let best else { throw UnlearningError.notFinite(what: "every correction that was tried") }
        report.isWithinTolerance = false
        return accept(best, rows: retainedRows, report: &report)
    }

    /// Of the λ whose full step stays under the divergence cap and whose prediction comes true, the one whose margins come
    /// nearest to `targets`, those of a training without these rows' prompts; nil if there is none.
    func calibration(
        along gradient: InfluenceGradient, targets: [(row: Int, margin: Double)], retainedRows: [Int],
        probes: [(row: Int, prompt: TrainingPrompt)], report: inout IFRUReport
    ) throws -> InfluenceCalibration? {
        guard !gradient.isZero, !targets.isEmpty else { return nil }
        let solver = InfluenceSolver(preparation: preparation, gradient: gradient)
        let scale = 1 / Double(preparation.entries.count)
        func distance(_ changes: [Double]?) -> Double {
            let sum = targets.reduce(0.0) { sum, target in
                let margin = Double(preparation.margins[target.row]) + (changes.map { $0[target.row] * scale } ?? 0)
                return sum + AnswerDivergence.jensenShannon(margin, target.margin)
            }
            return sum / Double(targets.count)
        }
        var candidates: [(distance: Double, solution: InfluenceSolution)] = []
        for damping in dampings {
            let solution = try solver.solve(damping: damping)
            report.solving.steps += 1
            guard cappedStep(solution, rows: retainedRows) == 1 else { continue }
            candidates.append((distance(solution.marginChanges), solution))
        }
        // Of equally near ones the smaller change.
        candidates.sort { ($0.distance, -$0.solution.damping) < ($1.distance, -$1.solution.damping) }
        for candidate in candidates where candidate.distance.isFinite {
            let trial = try attempt(
                solver: solver, solution: candidate.solution, step: 1, probes: probes, report: &report)
            guard let disagreement = trial.disagreement, disagreement <= configuration.tolerance else { continue }
            return InfluenceCalibration(
                solution: .step, damping: trial.damping, disagreement: disagreement, prompts: targets.count,
                distanceBefore: distance(nil), distanceAfter: candidate.distance)
        }
        return nil
    }

    /// Whether predictions are to be compared with what comes: unless calibration did so, within this tolerance.
    var needsProbes: Bool {
        guard configuration.damping == .prepared, let known = preparation.calibration else {
            return configuration.probes > 0
        }
        return configuration.probes > 0 && known.disagreement > configuration.tolerance
    }

    private var dampings: [Double] {
        let multiples: [Double]
        switch configuration.damping {
        case .fixed(let value): return [value]
        case .relative(let values): multiples = values
        case .prepared:
            if let known = preparation.calibration { return [known.damping] }
            multiples = IFRUConfiguration.Damping.defaultMultiples
        }
        // Where no prompt has any curvature, every damping of that size would be zero.
        let unit = preparation.meanCurvature > 0 ? preparation.meanCurvature : 1
        return multiples.sorted().map { $0 * unit }
    }

    private func accept(
        _ trial: Trial, rows: [Int], report: inout IFRUReport
    ) -> ([Float], predicted: [Double]) {
        report.damping = trial.damping
        report.step = trial.step
        report.disagreement = trial.disagreement
        report.predictedDivergence = divergence(trial.predicted, scale: 1, rows: rows)
        return (trial.values, trial.predicted)
    }

    private func attempt(
        solver: InfluenceSolver, solution: InfluenceSolution, step: Double,
        probes: [(row: Int, prompt: TrainingPrompt)], report: inout IFRUReport
    ) throws -> Trial {
        let factor = step / Double(preparation.entries.count)
        let move = solver.direction(solution, scaledBy: factor)
        var trial = Trial(
            values: zip(adapter.values, move).map(+), damping: solution.damping, step: step,
            predicted: solution.marginChanges.map { $0 * factor })
        guard !probes.isEmpty else { return trial }
        let chosen = mostMoved(probes, by: trial.predicted)
        trial.disagreement = try disagreement(
            of: trial.values, predicted: trial.predicted, on: chosen, cost: &report.solving)
        return trial
    }

    /// Those whose answers are to change most: there a wrong prediction shows first.
    func mostMoved(
        _ probes: [(row: Int, prompt: TrainingPrompt)], by predicted: [Double]
    ) -> [(row: Int, prompt: TrainingPrompt)] {
        Array(
            probes.sorted { (-abs(predicted[$0.row]), $0.row) < (-abs(predicted[$1.row]), $1.row) }
                .prefix(configuration.probes))
    }

    /// ‖actual − predicted‖ ÷ ‖predicted‖ of the margins of some rows' prompts.
    func disagreement(
        of values: [Float], predicted: [Double], on chosen: [(row: Int, prompt: TrainingPrompt)], cost: inout PhaseCost
    ) throws -> Double {
        guard values.allSatisfy(\.isFinite) else { return .infinity }
        let margins = try self.margins(of: values, reading: chosen.map { try read($0.prompt) }, cost: &cost)
        return disagreement(margins, predicted: predicted, rows: chosen.map(\.row))
    }

    func read(_ prompt: TrainingPrompt) throws -> TokenizedPrompt {
        try TokenizedPrompt(prompt, tokenizer: tokenizer, limit: model.configuration.context)
    }

    /// The same where the margins are known.
    func disagreement(_ margins: [Double], predicted: [Double], rows: [Int]) -> Double {
        var (error, size) = (0.0, 0.0)
        for (row, margin) in zip(rows, margins) {
            let difference = margin - Double(preparation.margins[row]) - predicted[row]
            error += difference * difference
            size += predicted[row] * predicted[row]
        }
        // Changes that the arithmetic itself could make tell nothing about the prediction.
        let least = Self.resolution * Self.resolution * Double(rows.count)
        let ratio = (error / max(size, least)).squareRoot()
        return ratio.isNaN ? .infinity : ratio
    }

    /// Margins under moved factors.
    func margins(
        of values: [Float], reading prompts: [TokenizedPrompt], cost: inout PhaseCost
    ) throws -> [Double] {
        cost.scoredTokens += prompts.tokenCount
        let moved = Adapter(layout: adapter.layout, values: values)
        return try model.answerLogits(
            prompts: prompts.map(\.tokens), adapters: AdapterMixture([moved]), weights: nil
        ).map { Double($0.margin) }
    }

    /// The largest step, at most 1, whose predicted divergence stays under the cap.
    private func cappedStep(_ solution: InfluenceSolution, rows: [Int]) -> Double {
        let scale = 1 / Double(preparation.entries.count)
        guard divergence(solution.marginChanges, scale: scale, rows: rows) > configuration.divergenceCap else {
            return 1
        }
        var (low, high) = (0.0, 1.0)
        for _ in 0..<40 {
            let middle = 0.5 * (low + high)
            if divergence(solution.marginChanges, scale: scale * middle, rows: rows) > configuration.divergenceCap {
                high = middle
            } else {
                low = middle
            }
        }
        return low
    }

    /// Mean KL divergence of the rows' answers before from those after, as predicted.
    func divergence(_ changes: [Double], scale: Double, rows: [Int]) -> Double {
        let sum = rows.reduce(0.0) { sum, row in
            let margin = Double(preparation.margins[row])
            return sum + AnswerDivergence.kullbackLeibler(margin, margin + scale * changes[row])
        }
        return sum / Double(rows.count)
    }
}
