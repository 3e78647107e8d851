import Recommendation

/// Ridge-penalised logistic regression over a linear model of the margins, in dual form.
///
/// Around a fitted adapter the margins are taken as linear in its parameters, m(θ) = m⁰ + M·(θ − θ⁰), where m⁰ are the margins
/// that the training began with. The regression
///
///     minimise  Σ_{i ∈ S} ℓ(m_i, y_i) + (ρ/2)·‖θ − θ⁰‖²
///
/// has its optimum in the span of the rows of S (representer theorem): θ − θ⁰ = Mᵀ·α with α_i = (y_i − σ(m_i))/ρ, and only
/// M·Mᵀ is needed to find it. A training that stops early stays as close to where it began as a ridge keeps it (Ali, Kolter
/// and Tibshirani, arXiv 1810.10082): ρ stands for the number of its steps. Bae et al. (arXiv 2209.05364) show that what
/// influence functions estimate of a network is the answer to such a proximal question, not a retraining at convergence.
///
/// With a change of S the regression is solved again to convergence, so that leverage, the interplay of a group of prompts,
/// and the curvature of what is retained are all in it; a step of an influence function is its first Newton step.
package struct DualRegression: Sendable {
    /// M·Mᵀ `[n, n]`.
    package let gram: [Double]
    /// m⁰ `[n]`.
    package let start: [Double]
    package let labels: [Bool]

    package init(gram: [Double], start: [Double], labels: [Bool]) {
        precondition(gram.count == start.count * start.count && labels.count == start.count)
        self.gram = gram
        self.start = start
        self.labels = labels
    }

    /// No regression of a sensible size takes more than a dozen Newton steps.
    private static let steps = 200
    /// Of the residuals, which lie between −1 and 1.
    private static let precision = 1e-10
    /// Where prompts resemble each other so much that rounding lets no step lower the loss any more.
    private static let coarsePrecision = 1e-5

    /// α of the regression over `members`; zero elsewhere.
    ///
    /// - `ridge`: ρ > 0.
    /// - `guess`: α of a regression that is near, such as that over a few prompts more.
    /// - `fixed`: coefficients of others than the members that stay as they are.
    /// - Throws: `ApproximateError.dampingNotPositive`; `UnlearningError.notFinite` when Newton's method does not end.
    package func coefficients(
        members: [Int], ridge: Double, guess: [Double]? = nil, fixed: [Double]? = nil
    ) throws -> [Double] {
        guard ridge.isFinite, ridge > 0 else { throw ApproximateError.dampingNotPositive }
        let (count, all) = (members.count, start.count)
        guard count > 0 else { return [Double](repeating: 0, count: all) }
        // In units of ρ: residuals β = ρ·α and the kernel M·Mᵀ/ρ.
        let kernel = members.flatMap { row in members.map { gram[row * all + $0] / ridge } }
        let first = members.map { row in
            guard let fixed else { return start[row] }
            return start[row] + (0..<all).reduce(0.0) { $0 + gram[row * all + $1] * fixed[$1] }
        }
        let signs = members.map { labels[$0] ? 1.0 : -1.0 }
        func product(_ vector: [Double]) -> [Double] {
            (0..<count).map { row in
                var sum = 0.0
                for column in 0..<count { sum += kernel[row * count + column] * vector[column] }
                return sum
            }
        }
        func objective(_ moved: [Double], _ residuals: [Double]) -> Double {
            (0..<count).reduce(0.0) {
                $0 - AnswerDivergence.logProbability(margin: signs[$1] * (first[$1] + moved[$1]))
                    + 0.5 * residuals[$1] * moved[$1]
            }
        }
        var residuals = members.map { (guess?[$0] ?? 0) * ridge }
        var moved = product(residuals)
        var value = objective(moved, residuals)
        var isStuck = false
        for _ in 0..<Self.steps {
            // y − σ(m), without cancellation.
            let slopes = (0..<count).map {
                signs[$0] * Metrics.probability(margin: -signs[$0] * (first[$0] + moved[$0]))
            }
            let error = (0..<count).reduce(0.0) { max($0, abs(residuals[$1] - slopes[$1])) }
            guard error.isFinite else { break }
            if error <= (isStuck ? Self.coarsePrecision : Self.precision) {
                var result = [Double](repeating: 0, count: all)
                for (position, member) in members.enumerated() { result[member] = residuals[position] / ridge }
                return result
            }
            // One Newton step: Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 3.1.
            let roots = slopes.map { (abs($0) * (1 - abs($0))).squareRoot() }
            let right = (0..<count).map { roots[$0] * roots[$0] * moved[$0] + slopes[$0] }
            let weighted = zip(roots, product(right)).map(*)
            guard
                let factor = Cholesky(
                    size: count,
                    entry: { row, column in
                        roots[row] * kernel[row * count + column] * roots[column] + (row == column ? 1 : 0)
                    })
            else { break }
            let solved = factor.solve(weighted)
            let target = (0..<count).map { right[$0] - roots[$0] * solved[$0] }
            let (step, change) = (zip(target, residuals).map(-), zip(product(target), moved).map(-))
            var share = 1.0
            while true {
                let next = zip(residuals, step).map { $0 + share * $1 }
                let nextMoved = zip(moved, change).map { $0 + share * $1 }
                let nextValue = objective(nextMoved, next)
                if nextValue <= value + 1e-12 * abs(value) || share < 1e-9 {
                    isStuck = nextValue >= value - 1e-14 * abs(value)
                    (residuals, moved, value) = (next, nextMoved, nextValue)
                    break
                }
                share /= 2
            }
        }
        throw UnlearningError.notFinite(what: "the regression for ρ = \(ridge)")
    }
}
