import LanguageModels
import Recommendation

/// Corrections by refit: of a request, and in the trial that chooses ρ.
extension InfluenceCorrection {
    /// Where the preparation was calibrated to refit and the configuration asks for what was prepared.
    var preparedRefit: InfluenceCalibration? {
        guard configuration.damping == .prepared, let known = preparation.calibration, known.solution == .refit else {
            return nil
        }
        return known
    }

    func refit(of named: NamedPrompts, report: inout IFRUReport) throws -> InfluenceRefit {
        try InfluenceRefit(
            self, of: named, rebuilt: configuration.spillover ? important(named.rebuilt, report: &report) : [],
            added: configuration.spillover ? named.added : [], report: &report)
    }

    /// The corrected factors, and by how much every row's margin is predicted to change.
    ///
    /// The whole change is made: half of it would be no training of anything. Probes only tell how well it was predicted.
    func correct(
        by refit: InfluenceRefit, as known: InfluenceCalibration, retainedRows: [Int],
        probes: [(row: Int, prompt: TrainingPrompt)], report: inout IFRUReport
    ) throws -> ([Float], predicted: [Double]) {
        guard let solution = try refit.solve(damping: known.damping, shares: [known.share ?? 1]).first else {
            throw UnlearningError.notFinite(what: "every correction that was tried")
        }
        let values = refit.values(solution, from: adapter)
        report.solving.steps += 1
        report.damping = known.damping
        report.step = 1
        report.predictedDivergence = divergence(solution.marginChanges, scale: 1, rows: retainedRows)
        report.isWithinTolerance = report.predictedDivergence <= configuration.divergenceCap
        let chosen = mostMoved(probes, by: solution.marginChanges)
        if !chosen.isEmpty {
            let found = try disagreement(
                of: values, predicted: solution.marginChanges, on: chosen, cost: &report.solving)
            report.disagreement = found
            report.isWithinTolerance = report.isWithinTolerance && found <= configuration.tolerance
        }
        return (values, solution.marginChanges)
    }

    /// Of the ρ and shares that leave no more than the tolerance of the distance and stay under the divergence cap, the one
    /// whose margins, as the model gives them, come nearest to `targets`; nil if there is none.
    func refitCalibration(
        of named: NamedPrompts, targets: [(row: Int, margin: Double)],
        probes: [(row: Int, prompt: TrainingPrompt)], isCancelled: () -> Bool, report: inout IFRUReport
    ) throws -> InfluenceCalibration? {
        guard !targets.isEmpty else { return nil }
        let refit = try self.refit(of: named, report: &report)
        let (rows, count) = (targets.map(\.row), Double(targets.count))
        func distance(_ margins: [Double]) -> Double {
            zip(margins, targets).reduce(0.0) { $0 + AnswerDivergence.jensenShannon($1.0, $1.1.margin) } / count
        }
        let before = rows.map { Double(preparation.margins[$0]) }
        let unit = preparation.meanSquare > 0 ? preparation.meanSquare : 1
        var candidates: [(distance: Double, solution: InfluenceRefit.Solution)] = []
        for multiple in InfluenceTrial.ridges {
            // One that is next to no ridge may have no solution in double precision.
            guard let solutions = try? refit.solve(damping: multiple * unit, shares: InfluenceTrial.shares) else {
                continue
            }
            for solution in solutions {
                report.solving.steps += 1
                let predicted = zip(before, rows).map { $0 + solution.marginChanges[$1] }
                candidates.append((distance(predicted), solution))
            }
        }
        candidates.sort {
            ($0.distance, -$0.solution.damping, -$0.solution.share)
                < ($1.distance, -$1.solution.damping, -$1.solution.share)
        }
        let texts = Dictionary(
            named.direct.compactMap { prompt, entry in entry.row.map { ($0, prompt) } }, uniquingKeysWith: { $1 })
        var best: InfluenceCalibration?
        for (_, solution) in candidates.prefix(InfluenceTrial.refits) {
            if isCancelled() { throw UnlearningError.cancelled }
            let values = refit.values(solution, from: adapter)
            guard values.allSatisfy(\.isFinite) else { continue }
            let chosen = mostMoved(probes, by: solution.marginChanges)
            let asked = rows.compactMap { texts[$0] } + (try chosen.map { try read($0.prompt) })
            let margins = try margins(of: values, reading: asked, cost: &report.solving)
            let (gone, kept) = (Array(margins.prefix(rows.count)), Array(margins.dropFirst(rows.count)))
            let moved = zip(kept, chosen).reduce(0.0) {
                $0 + AnswerDivergence.kullbackLeibler(Double(preparation.margins[$1.1.row]), $1.0)
            }
            let found = distance(gone)
            guard found <= configuration.tolerance * distance(before),
                moved <= configuration.divergenceCap * Double(max(1, chosen.count)),
                found < best?.distanceAfter ?? .infinity
            else { continue }
            best = InfluenceCalibration(
                solution: .refit, damping: solution.damping, share: solution.share,
                disagreement: found / distance(before), prompts: targets.count, distanceBefore: distance(before),
                distanceAfter: found)
        }
        return best
    }
}
