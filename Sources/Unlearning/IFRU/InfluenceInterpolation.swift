import LanguageModels
import Recommendation

/// A request in the space of margins: those of what is forgotten go back to where the training began, all others stay.
///
/// At a prompt that was memorised the loss has no slope left, but its margin has: of the adapters whose rows' margins are, to
/// first order, the wanted ones, the nearest is Φ + Mᵀ·a with (M·Mᵀ + ε)·a = the wanted changes (kernel ridge regression on the
/// tangent kernel of the trained adapter, arXiv 1806.07572; that forgetting may scrub what only the forgotten prompts moved in
/// this kernel: Golatkar et al., arXiv 2003.02960).
///
/// What comes of a change of several nats is less than its first order, the more so the more prompts have to move at once.
/// So the wanted changes of what is forgotten are multiplied by a factor (`InfluenceCalibration.overshoots`).
///
/// - a deleted prompt: factor·(m⁰ − m), with m⁰ its margin under the base model
/// - a rebuilt prompt: the new version's margin becomes the old one's, which stays: they are two texts of one rating
/// - an added prompt: the mean margin of the retained ones with its label
struct InfluenceInterpolation: InfluenceRows {
    let preparation: InfluencePreparation
    let fresh: InfluenceMatrix
    /// M·Mᵀ between fresh rows and all, `[fresh, n + fresh]`.
    private let freshGram: [Double]
    private let factor: Cholesky
    /// Wanted changes, of rows, then of fresh rows: what a factor multiplies, and what it does not.
    private let leaving: [Double]
    private let coming: [Double]
    /// Share of the training's prompts that is deleted.
    let share: Double

    /// ε, of the rows' mean square ‖∇m‖².
    static let ridge = 1e-2

    static func freshCount(
        of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt], added: [TokenizedPrompt]
    ) -> Int {
        named.direct.count { $0.entry.row == nil } + kept.count + added.count
    }

    /// - Throws: `UnlearningError.notFinite` where the rows are not independent enough; what the model throws.
    init(
        _ work: InfluenceCorrection, of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt],
        added: [TokenizedPrompt], report: inout IFRUReport
    ) throws {
        let preparation = work.preparation
        let count = preparation.referenceCount
        var (leaving, coming) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
        var rows = InfluenceMatrix(width: preparation.parameters)
        func append(_ prompt: TokenizedPrompt) throws -> Double {
            let (row, margin) = try InfluencePreparation.marginGradient(
                model: work.model, adapter: work.adapter, prompt: prompt)
            rows.append(row)
            return Double(margin)
        }
        let without = named.direct.filter { $0.entry.row == nil }.map(\.prompt)
        let start = try InfluencePreparation.startMargins(model: work.model, prompts: without)
        for (prompt, margin) in zip(without, start) {
            leaving.append(Double(margin) - (try append(prompt)))
            coming.append(0)
        }
        for row in named.direct.compactMap(\.entry.row) {
            leaving[row] = Double(preparation.start[row]) - Double(preparation.margins[row])
        }
        let old = kept.map(\.old)
        let unknown = try work.margins(
            of: work.adapter.values, reading: zip(kept, old).filter { $0.0.entry.row == nil }.map(\.1),
            cost: &report.gradient)
        var known = unknown[...]
        for change in kept {
            let margin = change.entry.row.map { Double(preparation.margins[$0]) } ?? known.popFirst() ?? 0
            coming.append(margin - (try append(change.new)))
            leaving.append(0)
        }
        let labels = preparation.labels
        for prompt in added {
            let alike = named.retainedRows.filter { labels[$0] == prompt.label }
            let margin = try append(prompt)
            let mean = alike.reduce(0.0) { $0 + Double(preparation.margins[$1]) } / Double(max(1, alike.count))
            coming.append(alike.isEmpty ? 0 : mean - margin)
            leaving.append(0)
        }
        let new = without + kept.map(\.new) + added
        report.backwardPrompts = new.count
        report.gradient.trainedTokens += new.tokenCount
        report.gradient.scoredTokens += without.tokenCount
        let (gram, all) = (try preparation.gram(withFresh: rows), count + rows.count)
        let ridge = preparation.interpolationRidge
        let factor = Cholesky(
            extending: try preparation.interpolationFactor(), to: all,
            entry: { row, column in gram[(row - count) * all + column] + (row == column ? ridge : 0) })
        guard let factor else { throw UnlearningError.notFinite(what: "the factor of the rows' products") }
        self.preparation = preparation
        self.factor = factor
        self.leaving = leaving
        self.coming = coming
        fresh = rows
        freshGram = gram
        share = named.share
    }

    struct Solution: InfluenceRowSolution {
        var factor: Double
        var coefficients: [Double]
        var marginChanges: [Double]
    }

    /// - Throws: `UnlearningError.notFinite`.
    func solve(factor multiple: Double) throws -> Solution {
        let coefficients = factor.solve(zip(leaving, coming).map { multiple * $0 + $1 })
        let (count, all) = (preparation.referenceCount, leaving.count)
        let changes = (0..<count).map { row in
            var sum = 0.0
            for column in 0..<count { sum += preparation.gram[row * count + column] * coefficients[column] }
            for column in count..<all { sum += freshGram[(column - count) * all + row] * coefficients[column] }
            return sum
        }
        guard coefficients.allSatisfy(\.isFinite), changes.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the solution for the factor \(multiple)")
        }
        return Solution(factor: multiple, coefficients: coefficients, marginChanges: changes)
    }

    /// By how much the rows' margins are expected to change: those of what is deleted by this part of their way back, which is
    /// what a factor was chosen for, all others to first order.
    func expected(_ solution: Solution, way: Double) -> [Double] {
        solution.marginChanges.enumerated().map { leaving[$0] == 0 ? $1 : way * leaving[$0] }
    }
}

extension InfluencePreparation {
    /// ε.
    var interpolationRidge: Double { InfluenceInterpolation.ridge * (meanSquare > 0 ? meanSquare : 1) }

    /// Of M·Mᵀ + ε, as kept where interpolation was calibrated, else made now.
    ///
    /// - Throws: `UnlearningError.notFinite` where rounding leaves it no factor.
    func interpolationFactor() throws -> Cholesky {
        let count = referenceCount
        if factor.count == count * count { return Cholesky(size: count, lower: factor) }
        let ridge = interpolationRidge
        let made = Cholesky(size: count, entry: { gram[$0 * count + $1] + ($0 == $1 ? ridge : 0) })
        guard let made else { throw UnlearningError.notFinite(what: "the factor of the rows' products") }
        return made
    }

    /// Products of further rows with all rows and among each other, `[fresh, n + fresh]`.
    func gram(withFresh fresh: InfluenceMatrix) throws -> [Double] {
        let inner = try fresh.gram()
        return (0..<fresh.count).flatMap { position in
            rows.products(with: Array(fresh.row(position)))
                + inner[(position * fresh.count)..<((position + 1) * fresh.count)]
        }
    }
}
