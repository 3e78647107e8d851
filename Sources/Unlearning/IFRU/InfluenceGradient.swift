/// A vector of the adapter's space as Mᵀ·coefficients + rest: what lies in the space of the stored rows needs no backward
/// pass, and no memory of the adapter's size.
package struct InfluenceGradient: Hashable, Sendable {
    /// One a row.
    package var coefficients: [Double]
    /// `[P]`; nil: zero.
    package var rest: [Float]?

    package init(coefficients: [Double], rest: [Float]? = nil) {
        self.coefficients = coefficients
        self.rest = rest
    }

    package var isZero: Bool {
        coefficients.allSatisfy { $0 == 0 } && (rest?.allSatisfy { $0 == 0 } ?? true)
    }
}

/// The exact solution of a damped Gauss–Newton system, not yet of the adapter's size.
package struct InfluenceSolution: Hashable, Sendable {
    package let damping: Double
    /// p = (Mᵀ·coefficients + rest) / λ
    package let gradient: InfluenceGradient
    /// M·p: by how much the margins of the rows change along p, to first order.
    package let marginChanges: [Double]
}

/// Solves (JᵀJ/n + λ·1)·p = g in the dual form
/// p = (1/λ)·[g − Jᵀ·(nλ·1 + J·Jᵀ)⁻¹·J·g], exact for every λ > 0 (Woodbury).
package struct InfluenceSolver: Sendable {
    private let preparation: InfluencePreparation
    private let gradient: InfluenceGradient
    /// M·g, shared by all λ.
    private let products: [Double]
    private let restProducts: [Double]?

    package init(preparation: InfluencePreparation, gradient: InfluenceGradient) {
        self.preparation = preparation
        self.gradient = gradient
        restProducts = gradient.rest.map { preparation.rows.products(with: $0) }
        products = Self.multiply(preparation, gradient.coefficients, restProducts)
    }

    /// M·(Mᵀ·coefficients + rest)
    private static func multiply(
        _ preparation: InfluencePreparation, _ coefficients: [Double], _ rest: [Double]?
    ) -> [Double] {
        let count = coefficients.count
        return preparation.gram.withUnsafeBufferPointer { gram in
            (0..<count).map { row in
                var sum = rest?[row] ?? 0
                for column in 0..<count { sum += gram[row * count + column] * coefficients[column] }
                return sum
            }
        }
    }

    /// - Throws: `ApproximateError.dampingNotPositive`, `.noReferenceRows`; `UnlearningError.notFinite`.
    package func solve(damping: Double) throws -> InfluenceSolution {
        guard damping.isFinite, damping > 0 else { throw ApproximateError.dampingNotPositive }
        let count = preparation.referenceCount
        guard count > 0 else { throw ApproximateError.noReferenceRows }
        let roots = preparation.rootWeights
        let dual = preparation.eigen.solve(shift: Double(count) * damping, zip(roots, products).map(*))
        let coefficients = zip(gradient.coefficients, zip(roots, dual)).map { $0 - $1.0 * $1.1 }
        let changes = Self.multiply(preparation, coefficients, restProducts).map { $0 / damping }
        guard coefficients.allSatisfy(\.isFinite), changes.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the solution for λ = \(damping)")
        }
        return InfluenceSolution(
            damping: damping, gradient: InfluenceGradient(coefficients: coefficients, rest: gradient.rest),
            marginChanges: changes)
    }

    /// p `[P]`, scaled by `factor`.
    package func direction(_ solution: InfluenceSolution, scaledBy factor: Double = 1) -> [Float] {
        let scale = factor / solution.damping
        return preparation.rows.combination(
            solution.gradient.coefficients.map { $0 * scale },
            adding: solution.gradient.rest.map { rest in rest.map { Float(Double($0) * scale) } })
    }
}
