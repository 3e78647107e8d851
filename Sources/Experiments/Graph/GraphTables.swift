import Foundation

/// Some rows of a table, in their order.
func gathered(_ table: [Float], rows: [Int32], width: Int) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(rows.count * width)
    for row in rows { result.append(contentsOf: table[(Int(row) * width)..<((Int(row) + 1) * width)]) }
    return result
}

func subtract(_ values: [Float], from target: inout [Float]) {
    for index in target.indices { target[index] -= values[index] }
}

/// The logistic function.
func probability(_ score: Float) -> Float { 1 / (1 + exp(-score)) }

/// Inverts scale·block + added·1, a symmetric positive definite matrix of `width` rows that begins at `start`, by its Cholesky
/// factor L: the inverse is L⁻ᵀ·L⁻¹.
func invert(
    _ blocks: [Float], at start: Int, width: Int, scale: Double, added: Double, into inverses: inout [Float]
) {
    var factor = [Double](repeating: 0, count: width * width)
    for row in 0..<width {
        for column in 0...row {
            var sum = scale * Double(blocks[start + row * width + column]) + (row == column ? added : 0)
            for index in 0..<column { sum -= factor[row * width + index] * factor[column * width + index] }
            // Rounding may leave nothing of a diagonal that is `added` at least.
            factor[row * width + column] =
                row == column ? max(sum, added).squareRoot() : sum / factor[column * width + column]
        }
    }
    // L⁻¹, column by column, in place of L's lower triangle.
    var inverse = [Double](repeating: 0, count: width * width)
    for column in 0..<width {
        inverse[column * width + column] = 1 / factor[column * width + column]
        for row in (column + 1)..<max(width, column + 1) {
            var sum = 0.0
            for index in column..<row { sum += factor[row * width + index] * inverse[index * width + column] }
            inverse[row * width + column] = -sum / factor[row * width + row]
        }
    }
    for row in 0..<width {
        for column in 0...row {
            var sum = 0.0
            for index in row..<width { sum += inverse[index * width + row] * inverse[index * width + column] }
            inverses[start + row * width + column] = Float(sum)
            inverses[start + column * width + row] = Float(sum)
        }
    }
}
