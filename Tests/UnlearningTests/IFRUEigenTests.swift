import Foundation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Eigendecomposition of symmetric matrices")
struct IFRUEigenTests {
    /// Largest |S − V·Λ·Vᵀ| and |Vᵀ·V − 1|.
    private func defects(_ matrix: [Double], _ eigen: SymmetricEigen) -> (product: Double, basis: Double) {
        let n = eigen.size
        var (product, basis) = (0.0, 0.0)
        for row in 0..<n {
            for column in 0..<n {
                var (sum, dot) = (0.0, 0.0)
                for k in 0..<n {
                    sum += eigen.values[k] * eigen.vectors[k * n + row] * eigen.vectors[k * n + column]
                    dot += eigen.vectors[row * n + k] * eigen.vectors[column * n + k]
                }
                product = max(product, abs(sum - matrix[row * n + column]))
                basis = max(basis, abs(dot - (row == column ? 1 : 0)))
            }
        }
        return (product, basis)
    }

    private func random(_ n: Int, rank: Int? = nil, seed: UInt64 = 4) -> [Double] {
        var random = SeededGenerator(seed: seed)
        let rank = rank ?? n
        let factor = (0..<(n * rank)).map { _ in Double.random(in: -1...1, using: &random) }
        var matrix = [Double](repeating: 0, count: n * n)
        for row in 0..<n {
            for column in 0..<n {
                for k in 0..<rank { matrix[row * n + column] += factor[row * rank + k] * factor[column * rank + k] }
            }
        }
        return matrix
    }

    @Test("It puts random matrices together again", arguments: [1, 2, 3, 4, 5, 17, 64, 130])
    func random(size: Int) throws {
        let matrix = random(size)
        let eigen = try SymmetricEigen(matrix: matrix, size: size)
        let (product, basis) = defects(matrix, eigen)
        let scale = matrix.map(abs).max() ?? 1
        #expect(product < 1e-13 * scale * Double(size) && basis < 1e-13 * Double(size))
        #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test("Repeated, zero and negative eigenvalues, and diagonal or empty matrices, are no difficulty")
    func special() throws {
        let deficient = random(40, rank: 3)
        let eigen = try SymmetricEigen(matrix: deficient, size: 40)
        #expect(defects(deficient, eigen).product < 1e-12)
        #expect(eigen.values.prefix(37).allSatisfy { abs($0) < 1e-12 } && eigen.values[37] > 0.1)
        var unit = [Double](repeating: 0, count: 36)
        for index in 0..<6 { unit[index * 7] = 1 }
        #expect(try SymmetricEigen(matrix: unit, size: 6).values == [1, 1, 1, 1, 1, 1])
        #expect(try SymmetricEigen(matrix: [Double](repeating: 0, count: 9), size: 3).values == [0, 0, 0])
        #expect(try SymmetricEigen(matrix: [], size: 0).values.isEmpty)
        let swapping = try SymmetricEigen(matrix: [0, 2, 2, 0], size: 2)
        #expect(abs(swapping.values[0] + 2) < 1e-15 && abs(swapping.values[1] - 2) < 1e-15)
        // The second differences on a line, whose eigenvalues are known.
        let n = 30
        var line = [Double](repeating: 0, count: n * n)
        for index in 0..<n {
            line[index * n + index] = 2
            if index > 0 {
                line[index * n + index - 1] = -1
                line[(index - 1) * n + index] = -1
            }
        }
        let values = try SymmetricEigen(matrix: line, size: n).values
        for (k, value) in values.enumerated() {
            #expect(abs(value - (2 - 2 * cos(Double.pi * Double(k + 1) / Double(n + 1)))) < 1e-13)
        }
    }

    @Test("Very large and very small entries neither overflow nor vanish", arguments: [1e-280, 1e-30, 1e30, 1e280])
    func scale(factor: Double) throws {
        let matrix = random(12)
        let plain = try SymmetricEigen(matrix: matrix, size: 12).values
        let scaled = try SymmetricEigen(matrix: matrix.map { $0 * factor }, size: 12).values
        for (a, b) in zip(plain, scaled) { #expect(abs(b / factor - a) < 1e-12 * (plain.last ?? 1)) }
    }

    @Test("A shifted system is solved")
    func solve() throws {
        let matrix = random(20, rank: 5)
        let eigen = try SymmetricEigen(matrix: matrix, size: 20)
        let right = (0..<20).map { Double($0) - 9 }
        let solution = eigen.solve(shift: 0.3, right)
        for row in 0..<20 {
            let product = (0..<20).reduce(0.3 * solution[row]) { $0 + matrix[row * 20 + $1] * solution[$1] }
            #expect(abs(product - right[row]) < 1e-10)
        }
    }

    @Test("What is not finite or has the wrong size is refused")
    func refused() {
        #expect(throws: UnlearningError.notFinite(what: "the curvature matrix")) {
            try SymmetricEigen(matrix: [1, .nan, 0, 1], size: 2)
        }
        #expect(throws: UnlearningError.wrongShape(what: "the matrix", expected: 4, found: 3)) {
            try SymmetricEigen(matrix: [1, 2, 3], size: 2)
        }
    }
}
