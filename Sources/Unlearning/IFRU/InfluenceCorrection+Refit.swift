import LanguageModels
import Recommendation

/// Corrections by refit: of a request, and in the trial that chooses ρ.
extension InfluenceCorrection {
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
        report.damping = known.damping
        report.step = 1
        let chosen = judge(solution.marginChanges, retainedRows: retainedRows, probes: probes, report: &report)
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
        let refit = try self.rows(InfluenceRefit.self, of: named, report: &report)
        let rows = targets.map(\.row)
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
                candidates.append((distance(predicted, to: targets), solution))
            }
        }
        candidates.sort {
            ($0.distance, -$0.solution.damping, -$0.solution.share)
                < ($1.distance, -$1.solution.damping, -$1.solution.share)
        }
        let texts = Dictionary(
            named.direct.compactMap { prompt, entry in entry.row.map { ($0, prompt) } }, uniquingKeysWith: { $1 })
        let distanceBefore = distance(before, to: targets)
        var best: InfluenceCalibration?
        for (_, solution) in candidates.prefix(InfluenceTrial.refits) {
            if isCancelled() { throw UnlearningError.cancelled }
            let values = refit.values(solution, from: adapter)
            guard values.allSatisfy(\.isFinite) else { continue }
            let chosen = mostMoved(probes, by: solution.marginChanges)
            let asked = rows.compactMap { texts[$0] } + (try chosen.map { try read($0.prompt) })
            let margins = try margins(of: values, reading: asked, cost: &report.solving)
            let found = distance(margins.prefix(rows.count), to: targets)
            guard found <= configuration.tolerance * distanceBefore,
                isWithinCap(margins.dropFirst(rows.count), of: chosen), found < best?.distanceAfter ?? .infinity
            else { continue }
            best = InfluenceCalibration(
                solution: .refit, damping: solution.damping, share: solution.share,
                disagreement: found / distanceBefore, prompts: targets.count, distanceBefore: distanceBefore,
                distanceAfter: found)
        }
        return best
    }
}
