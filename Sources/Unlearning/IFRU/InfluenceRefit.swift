import LanguageModels
import Recommendation

/// The linearised training with and without what a request names: two regressions of `DualRegression` around one adapter.
///
/// At a prompt that the adapter has memorised, σ(m) − y and the curvature σ(m)·(1 − σ(m)) are next to zero, and so is every step
/// made of them, while the training's steps towards it were not. Its dual coefficient is their sum. Taking the prompt out and
/// solving again moves the adapter by Mᵀ·(α′ − α): what the prompt gave, and what the others would have given in its place.
///
/// Of the latter a linear model of the trained adapter promises too much. The gradients that it is made of were learnt from the
/// labels: at the trained adapter prompts of one label resemble each other, so that the others seem to know the answer of one
/// that is gone, which at the beginning of a training they do not. A trial tells which share of their reply to take: with all of
/// it the training is solved again, with none of it what the forgotten prompts gave is taken back and the others stay.
struct InfluenceRefit: InfluenceRows {
    private let regression: DualRegression
    let preparation: InfluencePreparation
    /// Of prompts without one, of new versions and of added prompts.
    let fresh: InfluenceMatrix
    /// Positions among rows and fresh rows, before and after the request.
    private let before: [Int]
    private let after: [Int]
    /// Of the latter those that are not among the former.
    private let new: [Int]
    private let usesPrepared: Bool

    static func freshCount(
        of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt], added: [TokenizedPrompt]
    ) -> Int {
        named.direct.count { $0.entry.row == nil } + kept.count { $0.entry.row == nil } + kept.count + added.count
    }

    init(
        _ work: InfluenceCorrection, of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt],
        added: [TokenizedPrompt], report: inout IFRUReport
    ) throws {
        preparation = work.preparation
        let count = preparation.referenceCount
        var fresh: [TokenizedPrompt] = []
        var (gone, old, new): (Set<Int>, [Int], [Int]) = ([], [], [])
        func place(_ prompt: TokenizedPrompt) -> Int {
            fresh.append(prompt)
            return count + fresh.count - 1
        }
        func leave(_ prompt: TokenizedPrompt, _ entry: InfluencePreparation.Entry) {
            if let row = entry.row { gone.insert(row) } else { old.append(place(prompt)) }
        }
        for (prompt, entry) in named.direct { leave(prompt, entry) }
        for change in kept {
            leave(change.old, change.entry)
            new.append(place(change.new))
        }
        for prompt in added { new.append(place(prompt)) }
        before = Array(0..<count) + old
        after = (0..<count).filter { !gone.contains($0) } + new
        self.new = new
        usesPrepared = old.isEmpty

        var rows = InfluenceMatrix(width: preparation.parameters)
        rows.reserve(fresh.count)
        for prompt in fresh {
            rows.append(
                try InfluencePreparation.marginGradient(model: work.model, adapter: work.adapter, prompt: prompt).0)
        }
        self.fresh = rows
        let start = try InfluencePreparation.startMargins(model: work.model, prompts: fresh)
        report.backwardPrompts = fresh.count
        report.gradient.trainedTokens += fresh.tokenCount
        report.gradient.scoredTokens += fresh.tokenCount
        regression = DualRegression(
            gram: try preparation.extendedGram(rows), start: (preparation.start + start).map(Double.init),
            labels: preparation.labels + fresh.map(\.label))
    }

    struct Solution: InfluenceRowSolution {
        var damping: Double
        /// Of the reply of what is retained.
        var share: Double
        /// α′ − α.
        var coefficients: [Double]
        var marginChanges: [Double]
    }

    /// One solution for each share.
    ///
    /// - Throws: as `DualRegression.coefficients`.
    func solve(damping: Double, shares: [Double]) throws -> [Solution] {
        let prepared = preparation.coefficients
        let isPrepared = usesPrepared && preparation.calibration?.damping == damping && !prepared.isEmpty
        let all = regression.labels.count
        let old =
            isPrepared
            ? prepared + [Double](repeating: 0, count: all - prepared.count)
            : try regression.coefficients(members: before, ridge: damping)
        let again =
            shares.allSatisfy { $0 == 0 }
            ? old : try regression.coefficients(members: after, ridge: damping, guess: old)
        // What stays keeps its coefficient; only what is new is solved for.
        let retained = Set(after).subtracting(new)
        var left = old.indices.map { retained.contains($0) ? old[$0] : 0 }
        let replies = try regression.coefficients(members: new, ridge: damping, fixed: left)
        for position in new { left[position] = replies[position] }
        return try shares.map { share in
            let change = old.indices.map { (1 - share) * left[$0] + share * again[$0] - old[$0] }
            let moved = (0..<preparation.referenceCount).map { row in
                (0..<all).reduce(0.0) { $0 + regression.gram[row * all + $1] * change[$1] }
            }
            guard change.allSatisfy(\.isFinite), moved.allSatisfy(\.isFinite) else {
                throw UnlearningError.notFinite(what: "the solution for ρ = \(damping)")
            }
            return Solution(damping: damping, share: share, coefficients: change, marginChanges: moved)
        }
    }
}

extension InfluencePreparation {
    /// Solves the regression over all rows ahead of requests, where one was calibrated.
    package mutating func take(_ calibration: InfluenceCalibration?) throws {
        self.calibration = calibration
        coefficients = []
        factor = calibration?.solution == .interpolation ? try interpolationFactor().lower : []
        guard let calibration, calibration.solution == .refit else { return }
        coefficients = try DualRegression(gram: gram, start: start.map(Double.init), labels: labels).coefficients(
            members: Array(0..<referenceCount), ridge: calibration.damping)
    }

    /// Margins under the base model, which are those of every training's initial adapter.
    static func startMargins(
        model: any AnswerModel, prompts: [TokenizedPrompt], isCancelled: () -> Bool = { false }
    ) throws -> [Float] {
        let chunk = 32
        let margins = try stride(from: 0, to: prompts.count, by: chunk).flatMap { start in
            if isCancelled() { throw UnlearningError.cancelled }
            let part = prompts[start..<min(start + chunk, prompts.count)]
            return try model.answerLogits(prompts: part.map(\.tokens), adapters: nil, weights: nil).map(\.margin)
        }
        guard margins.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the base model's answers") }
        return margins
    }

    /// Labels of the rows.
    var labels: [Bool] {
        var labels = [Bool](repeating: false, count: referenceCount)
        for entry in entries { if let row = entry.row { labels[row] = entry.label } }
        return labels
    }

    /// M·Mᵀ with further rows.
    fileprivate func extendedGram(_ fresh: InfluenceMatrix) throws -> [Double] {
        let (count, more) = (referenceCount, fresh.count)
        guard more > 0 else { return gram }
        let (size, inner) = (count + more, try fresh.gram())
        var result = [Double](repeating: 0, count: size * size)
        for row in 0..<count {
            for column in 0..<count { result[row * size + column] = gram[row * count + column] }
        }
        for position in 0..<more {
            let products = rows.products(with: Array(fresh.row(position)))
            for row in 0..<count {
                result[row * size + count + position] = products[row]
                result[(count + position) * size + row] = products[row]
            }
            for other in 0..<more {
                result[(count + position) * size + count + other] = inner[position * more + other]
            }
        }
        return result
    }
}
