/// The factor of S = L·Lᵀ.
struct Cholesky {
    private let size: Int
    /// L, row by row.
    let lower: [Double]

    init(size: Int, lower: [Double]) {
        precondition(lower.count == size * size)
        self.size = size
        self.lower = lower
    }

    /// - Parameter entry: of the lower triangle of S.
    /// - Returns: nil when S is not positive definite.
    init?(size: Int, entry: (Int, Int) -> Double) {
        self.init(extending: Cholesky(size: 0, lower: []), to: size, entry: entry)
    }

    /// Of a matrix whose first rows and columns are those that `factor` was made of.
    ///
    /// - Parameter entry: of the further rows of the lower triangle of S.
    /// - Returns: nil when S is not positive definite.
    init?(extending factor: Cholesky, to size: Int, entry: (Int, Int) -> Double) {
        let known = factor.size
        precondition(known <= size)
        guard known < size else {
            self = factor
            return
        }
        var lower = [Double](repeating: 0, count: size * size)
        for row in 0..<known {
            for column in 0...row { lower[row * size + column] = factor.lower[row * known + column] }
        }
        for row in known..<size {
            for column in 0...row {
                var sum = entry(row, column)
                lower.withUnsafeBufferPointer { lower in
                    let (one, other) = (row * size, column * size)
                    for index in 0..<column { sum -= lower[one + index] * lower[other + index] }
                }
                if row == column {
                    guard sum > 0 else { return nil }
                    lower[row * size + row] = sum.squareRoot()
                } else {
                    lower[row * size + column] = sum / lower[column * size + column]
                }
            }
        }
        self.init(size: size, lower: lower)
    }

    /// S⁻¹·right
    func solve(_ right: [Double]) -> [Double] {
        var result = right
        for row in 0..<size {
            for column in 0..<row { result[row] -= lower[row * size + column] * result[column] }
            result[row] /= lower[row * size + row]
        }
        for row in (0..<size).reversed() {
            for below in (row + 1)..<max(size, row + 1) { result[row] -= lower[below * size + row] * result[below] }
            result[row] /= lower[row * size + row]
        }
        return result
    }
}
