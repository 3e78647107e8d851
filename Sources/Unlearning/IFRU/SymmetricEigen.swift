import Foundation

/// The eigendecomposition S = Σ_k λ_k·v_k·v_kᵀ of a real symmetric matrix, in double precision.
///
/// Householder reduction to tridiagonal form, then QL with implicit shifts (Golub and Van Loan, Matrix Computations,
/// §8.3). About 6·n³ operations, always in the same order.
package struct SymmetricEigen: Hashable, Sendable {
    package let size: Int
    /// λ_k, ascending.
    package let values: [Double]
    /// v_k `[size, size]`, one unit vector a row, in the order of the values.
    package let vectors: [Double]

    package init(size: Int, values: [Double], vectors: [Double]) {
        precondition(values.count == size && vectors.count == size * size)
        self.size = size
        self.values = values
        self.vectors = vectors
    }

    /// - `matrix`: `[size, size]`, row by row; of entries that differ across the diagonal the mean is taken.
    /// - Throws: `UnlearningError.wrongShape`; `.notFinite` for input that is not finite, or so large that it overflows.
    package init(matrix: [Double], size: Int) throws {
        guard matrix.count == size * size else {
            throw UnlearningError.wrongShape(what: "the matrix", expected: size * size, found: matrix.count)
        }
        guard matrix.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the curvature matrix") }
        // Scaled by a power of two to entries around one, so that nothing overflows or underflows on the way.
        let largest = matrix.reduce(0) { max($0, abs($1)) }
        let scale = largest > 0 ? Double(sign: .plus, exponent: largest.exponent, significand: 1) : 1
        var work = matrix
        for row in 0..<size {
            for column in 0...row {
                let mean = 0.5 * (matrix[row * size + column] / scale) + 0.5 * (matrix[column * size + row] / scale)
                work[row * size + column] = mean
                work[column * size + row] = mean
            }
        }
        var (diagonal, beside) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size))
        var basis = Self.tridiagonalise(&work, size: size, diagonal: &diagonal, beside: &beside)
        try Self.diagonalise(&diagonal, &beside, &basis, size: size)
        let order = (0..<size).sorted { (diagonal[$0], $0) < (diagonal[$1], $1) }
        self.size = size
        values = order.map { diagonal[$0] * scale }
        vectors = order.flatMap { basis[($0 * size)..<(($0 + 1) * size)] }
        guard values.allSatisfy(\.isFinite), vectors.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the eigendecomposition")
        }
    }

    /// (S + shift·1)⁻¹·vector; every λ_k + shift must be positive.
    package func solve(shift: Double, _ vector: [Double]) -> [Double] {
        precondition(vector.count == size)
        var result = [Double](repeating: 0, count: size)
        vectors.withUnsafeBufferPointer { vectors in
            for k in 0..<size {
                let row = k * size
                var projection = 0.0
                for index in 0..<size { projection += vectors[row + index] * vector[index] }
                projection /= values[k] + shift
                for index in 0..<size { result[index] += projection * vectors[row + index] }
            }
        }
        return result
    }

    /// Q with S = Q·T·Qᵀ, returned transposed (a column of Q a row). `beside[i]` joins i and i + 1.
    private static func tridiagonalise(
        _ matrix: inout [Double], size: Int, diagonal: inout [Double], beside: inout [Double]
    ) -> [Double] {
        var reflectors: [[Double]] = []
        var product = [Double](repeating: 0, count: size)
        matrix.withUnsafeMutableBufferPointer { matrix in
            for k in 0..<max(size - 2, 0) {
                var reflector = [Double](repeating: 0, count: size)
                var below = 0.0
                for row in (k + 1)..<size {
                    reflector[row] = matrix[row * size + k]
                    if row > k + 1 { below += reflector[row] * reflector[row] }
                }
                let head = reflector[k + 1]
                guard below > 0 else {
                    beside[k] = head
                    reflectors.append([])
                    continue
                }
                let length = (head * head + below).squareRoot()
                // The sign that adds magnitudes: no cancellation.
                reflector[k + 1] = head + (head < 0 ? -length : length)
                beside[k] = head < 0 ? length : -length
                let norm = (reflector[k + 1] * reflector[k + 1] + below).squareRoot()
                for row in (k + 1)..<size { reflector[row] /= norm }
                // S ← (1 − 2vvᵀ)·S·(1 − 2vvᵀ) = S − v·wᵀ − w·vᵀ with w = 2·(S·v − (vᵀSv)·v).
                var quadratic = 0.0
                for row in (k + 1)..<size {
                    var sum = 0.0
                    for column in (k + 1)..<size { sum += matrix[row * size + column] * reflector[column] }
                    product[row] = sum
                    quadratic += sum * reflector[row]
                }
                for row in (k + 1)..<size { product[row] = 2 * (product[row] - quadratic * reflector[row]) }
                for row in (k + 1)..<size {
                    let (v, w) = (reflector[row], product[row])
                    for column in (k + 1)..<size {
                        matrix[row * size + column] -= v * product[column] + w * reflector[column]
                    }
                }
                reflectors.append(reflector)
            }
            for index in 0..<size { diagonal[index] = matrix[index * size + index] }
            if size > 1 { beside[size - 2] = matrix[(size - 1) * size + size - 2] }
        }
        return accumulate(reflectors, size: size)
    }

    /// The transpose of Q = H_0·H_1·…, built from the last reflection on, so that each one meets only the rows and columns that
    /// differ from the unit matrix.
    private static func accumulate(_ reflectors: [[Double]], size: Int) -> [Double] {
        var q = [Double](repeating: 0, count: size * size)
        for index in 0..<size { q[index * size + index] = 1 }
        var sums = [Double](repeating: 0, count: size)
        for (k, v) in reflectors.enumerated().reversed() where !v.isEmpty {
            for column in (k + 1)..<size { sums[column] = 0 }
            for row in (k + 1)..<size {
                for column in (k + 1)..<size { sums[column] += v[row] * q[row * size + column] }
            }
            for row in (k + 1)..<size {
                for column in (k + 1)..<size { q[row * size + column] -= 2 * v[row] * sums[column] }
            }
        }
        for row in 0..<size {
            for column in 0..<row { q.swapAt(row * size + column, column * size + row) }
        }
        return q
    }

    /// QL with implicit shifts on the tridiagonal matrix; rotates the rows of `basis` along.
    private static func diagonalise(
        _ d: inout [Double], _ e: inout [Double], _ basis: inout [Double], size: Int
    ) throws {
        for low in 0..<size {
            for attempt in 0... {
                var end = low
                while end < size - 1, abs(e[end]) > Double.ulpOfOne * (abs(d[end]) + abs(d[end + 1])) { end += 1 }
                if end == low { break }
                guard attempt < 60 else { throw UnlearningError.notFinite(what: "the eigendecomposition") }
                // Wilkinson's shift.
                var g = (d[low + 1] - d[low]) / (2 * e[low])
                var r = hypot(g, 1)
                g = d[end] - d[low] + e[low] / (g + (g < 0 ? -r : r))
                var (s, c, p) = (1.0, 1.0, 0.0)
                var split = false
                for index in stride(from: end - 1, through: low, by: -1) {
                    let (f, b) = (s * e[index], c * e[index])
                    r = hypot(f, g)
                    e[index + 1] = r
                    if r == 0 {
                        d[index + 1] -= p
                        e[end] = 0
                        split = true
                        break
                    }
                    s = f / r
                    c = g / r
                    g = d[index + 1] - p
                    r = (d[index] - g) * s + 2 * c * b
                    p = s * r
                    d[index + 1] = g + p
                    g = c * r - b
                    rotate(&basis, rows: (index, index + 1), size: size, cosine: c, sine: s)
                }
                if split { continue }
                d[low] -= p
                e[low] = g
                e[end] = 0
            }
        }
    }

    private static func rotate(
        _ basis: inout [Double], rows: (Int, Int), size: Int, cosine: Double, sine: Double
    ) {
        basis.withUnsafeMutableBufferPointer { basis in
            let (first, second) = (rows.0 * size, rows.1 * size)
            for column in 0..<size {
                let (a, b) = (basis[first + column], basis[second + column])
                basis[second + column] = sine * a + cosine * b
                basis[first + column] = cosine * a - sine * b
            }
        }
    }
}
