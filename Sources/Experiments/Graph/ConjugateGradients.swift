/// Solves A·x = right for a symmetric positive definite A that is known by its products only (Hestenes and Stiefel 1952),
/// helped by an approximate inverse of A, which must be symmetric and positive definite too.
package struct ConjugateGradients: Sendable {
    package private(set) var vector: [Double]
    package private(set) var products = 0
    /// ‖right − A·x‖ ÷ ‖right‖
    package private(set) var residual = 0.0
    /// A is not positive definite; `vector` is of no use.
    package private(set) var metNegativeCurvature = false

    package init(
        right: [Double], tolerance: Double, maximumProducts: Int, preconditioner: ([Double]) -> [Double] = { $0 },
        product: ([Double]) -> [Double]
    ) {
        vector = [Double](repeating: 0, count: right.count)
        let start = Self.dot(right, right)
        guard start > 0 else { return }
        var rest = right
        var square = start
        var direction = preconditioner(rest)
        var energy = Self.dot(rest, direction)
        while square > tolerance * tolerance * start, products < maximumProducts {
            let image = product(direction)
            products += 1
            let bend = Self.dot(direction, image)
            guard bend > 0, energy > 0 else {
                metNegativeCurvature = true
                break
            }
            let step = energy / bend
            Self.add(step, direction, to: &vector)
            Self.add(-step, image, to: &rest)
            square = Self.dot(rest, rest)
            let eased = preconditioner(rest)
            let next = Self.dot(rest, eased)
            let turn = next / energy
            direction.withUnsafeMutableBufferPointer { direction in
                for index in direction.indices { direction[index] = eased[index] + turn * direction[index] }
            }
            energy = next
        }
        residual = (square / start).squareRoot()
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for index in a.indices { sum += a[index] * b[index] }
        return sum
    }

    private static func add(_ scale: Double, _ values: [Double], to target: inout [Double]) {
        for index in target.indices { target[index] += scale * values[index] }
    }
}
