import LanguageModels
import Recommendation

/// Corrections by interpolation: of a request, and in the trial that says whether, and how far, to go.
extension InfluenceCorrection {
    /// The corrected factors, and by how much every row's margin is expected to change.
    func correct(
        by interpolation: InfluenceInterpolation, as known: InfluenceCalibration, retainedRows: [Int],
        probes: [(row: Int, prompt: TrainingPrompt)], report: inout IFRUReport
    ) throws -> ([Float], predicted: [Double]) {
        let solution = try interpolation.solve(factor: known.overshoot(share: interpolation.share))
        let values = interpolation.values(solution, from: adapter)
        report.damping = preparation.interpolationRidge
        report.step = solution.factor
        // What stays is to first order where it was: not whether that comes true is asked, but how far its answers are from it.
        let chosen = judge(solution.marginChanges, retainedRows: retainedRows, probes: probes, report: &report)
        if !chosen.isEmpty {
            let margins = try margins(
                of: values, reading: chosen.map { try read($0.prompt) }, cost: &report.solving)
            report.isWithinTolerance = report.isWithinTolerance && isWithinCap(margins, of: chosen)
        }
        // What comes of a factor beyond 1 is what the trial saw, not its first order.
        let way = known.way(share: interpolation.share) ?? solution.factor
        return (values, interpolation.expected(solution, way: way))
    }

    /// Of the factors that bring margins nearer and stay under the divergence cap, the one whose margins, as the model gives
    /// them, come nearest to `targets`; nil if there is none.
    ///
    /// - `prompts`: of all rows, by row: how far requests of other sizes have to go to come as far is tried on them.
    /// - `order`: rows in the order in which they are taken for that, those of `targets` first.
    func interpolationCalibration(
        of named: NamedPrompts, targets: [(row: Int, margin: Double)],
        probes: [(row: Int, prompt: TrainingPrompt)], prompts: [Int: TrainingPrompt], order: [Int],
        isCancelled: () -> Bool, report: inout IFRUReport
    ) throws -> InfluenceCalibration? {
        guard !targets.isEmpty, let work = try? self.rows(InfluenceInterpolation.self, of: named, report: &report)
        else { return nil }
        let rows = targets.map(\.row)
        let before = distance(rows.map { Double(preparation.margins[$0]) }, to: targets)
        let texts = try (rows.compactMap { prompts[$0] } + probes.map(\.prompt)).map { try read($0) }
        guard texts.count == rows.count + probes.count else { return nil }
        var best: (found: InfluenceOvershoot, distance: Double)?
        for factor in InfluenceTrial.overshoots {
            if isCancelled() { throw UnlearningError.cancelled }
            guard let solution = try? work.solve(factor: factor) else { return nil }
            report.solving.steps += 1
            let values = work.values(solution, from: adapter)
            guard values.allSatisfy(\.isFinite) else { break }
            let margins = try margins(of: values, reading: texts, cost: &report.solving)
            let (gone, kept) = (margins.prefix(rows.count), margins.dropFirst(rows.count))
            guard isWithinCap(kept, of: probes) else { break }
            let found = distance(gone, to: targets)
            guard found < before, found < best?.distance ?? .infinity,
                let way = preparation.wayBack(of: zip(rows, gone).map { (row: $0, margin: $1) }), way > 0
            else { continue }
            best = (InfluenceOvershoot(share: named.share, factor: factor, way: way), found)
        }
        guard let best, let way = best.found.way else { return nil }
        var overshoots = [best.found]
        for size in [1, max(2, order.count / 4)] where size != targets.count && size < order.count {
            if isCancelled() { throw UnlearningError.cancelled }
            let sets =
                size == 1 ? order.prefix(InfluenceTrial.singles).map { [$0] } : [Array(order.prefix(size))]
            let share = Double(size) / Double(preparation.entries.count)
            let found = try overshoot(sets, ofShare: share, reaching: way, prompts: prompts, report: &report)
            if let found { overshoots.append(found) }
        }
        return InfluenceCalibration(
            solution: .interpolation, damping: preparation.interpolationRidge,
            overshoots: overshoots.sorted { $0.share < $1.share }, way: way, disagreement: best.distance / before,
            prompts: targets.count, distanceBefore: before, distanceAfter: best.distance)
    }

    /// The factor at which sets of rows, each taken alone, come as far on their way back as `way`: between two of those that
    /// are tried on a straight line, the largest one, and how far they come with it, if none goes so far. nil: they have nowhere to
    /// go.
    private func overshoot(
        _ sets: [[Int]], ofShare share: Double, reaching way: Double, prompts: [Int: TrainingPrompt],
        report: inout IFRUReport
    ) throws -> InfluenceOvershoot? {
        let works = try sets.map { rows in
            try self.rows(
                InfluenceInterpolation.self,
                of: NamedPrompts(rows: rows, preparation: preparation, prompts: prompts, reading: read),
                report: &report)
        }
        var last = InfluenceOvershoot(share: share, factor: 0, way: 0)
        for factor in InfluenceTrial.overshoots {
            var moved: [(row: Int, margin: Double)] = []
            for (rows, work) in zip(sets, works) {
                let values = work.values(try work.solve(factor: factor), from: adapter)
                guard values.allSatisfy(\.isFinite) else { return last.factor > 0 ? last : nil }
                let measured = Array(rows.prefix(InfluenceTrial.probes))
                let texts = try measured.compactMap { prompts[$0] }.map { try read($0) }
                let margins = try margins(of: values, reading: texts, cost: &report.solving)
                moved += zip(measured, margins).map { (row: $0, margin: $1) }
            }
            report.solving.steps += 1
            guard let now = preparation.wayBack(of: moved) else { return nil }
            let before = last.way ?? 0
            if now >= way {
                let part = now > before ? (way - before) / (now - before) : 1
                return InfluenceOvershoot(
                    share: share, factor: last.factor + min(max(part, 0), 1) * (factor - last.factor), way: way)
            }
            (last.factor, last.way) = (factor, now)
        }
        return last
    }
}

extension InfluencePreparation {
    /// How far margins of rows have come from where they are to where the training began, of the whole way; by labels, so that
    /// opposite ones do not cancel out. nil: together they have hardly moved since then.
    func wayBack(of moved: [(row: Int, margin: Double)]) -> Double? {
        let labels = self.labels
        var (way, whole) = (0.0, 0.0)
        for (row, margin) in moved {
            let sign = labels[row] ? 1.0 : -1.0
            way += sign * (Double(margins[row]) - margin)
            whole += sign * (Double(margins[row]) - Double(start[row]))
        }
        return whole > 0.1 * Double(max(1, moved.count)) ? way / whole : nil
    }
}
