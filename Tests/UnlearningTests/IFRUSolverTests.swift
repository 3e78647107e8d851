import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("The dual solve of IFRU")
struct IFRUSolverTests {
    private let prompts: [TrainingPrompt]
    private let adapter: Adapter
    private let preparation: InfluencePreparation

    init() throws {
        prompts = try LetterShop().training()
        // A few passes only: weights far from zero and margins far from certain.
        var specification = LetterShop.specification
        specification.epochs = 20
        adapter = try AdapterTraining.train(
            model: LetterModel(), tokenizer: LetterShop.tokenizer, samples: prompts, specification: specification
        ).adapter
        preparation = try LetterShop.prepare(prompts, adapter)
    }

    /// Gaussian elimination with pivoting.
    private func dense(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
        var (rows, n) = (zip(matrix, right).map { $0 + [$1] }, right.count)
        for column in 0..<n {
            let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(column, pivot)
            for row in 0..<n where row != column {
                let factor = rows[row][column] / rows[column][column]
                for index in column...n { rows[row][index] -= factor * rows[column][index] }
            }
        }
        return (0..<n).map { rows[$0][n] / rows[$0][$0] }
    }

    /// JᵀJ/n + λ·1 as it stands in the paper, from gradients that the model gives anew.
    private func curvature(damping: Double) throws -> [[Double]] {
        let size = adapter.layout.count
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: size), count: size)
        for prompt in prompts {
            let result = try LetterModel().gradient(
                prompts: [LetterShop.tokenizer.encode(prompt.text)], adapter: adapter
            ) { _, _ in AnswerLogits(yes: 1, no: -1) }
            let margin = Double(result.logits[0].margin)
            let weight = Metrics.probability(margin: margin) * Metrics.probability(margin: -margin)
            for row in 0..<size {
                for column in 0..<size {
                    matrix[row][column] +=
                        weight * Double(result.gradient[row]) * Double(result.gradient[column]) / Double(prompts.count)
                }
            }
        }
        for index in 0..<size { matrix[index][index] += damping }
        return matrix
    }

    @Test("It equals a dense solve, for every λ from one decomposition", arguments: [1e-3, 0.01, 1, 100])
    func dense(multiple: Double) throws {
        let damping = multiple * preparation.meanCurvature
        var random = SeededGenerator(seed: 2)
        let size = adapter.layout.count
        #expect(preparation.referenceCount == prompts.count && preparation.parameters == size)
        let coefficients = (0..<prompts.count).map { _ in Double.random(in: -1...1, using: &random) }
        let rest = (0..<size).map { _ in Float.random(in: -1...1, using: &random) }
        for gradient in [
            InfluenceGradient(coefficients: coefficients),
            InfluenceGradient(coefficients: coefficients, rest: rest),
            InfluenceGradient(coefficients: coefficients.map { _ in 0 }, rest: rest),
        ] {
            let right = preparation.rows.combination(gradient.coefficients, adding: gradient.rest)
            let expected = dense(try curvature(damping: damping), right.map(Double.init))
            let solver = InfluenceSolver(preparation: preparation, gradient: gradient)
            let solution = try solver.solve(damping: damping)
            let found = solver.direction(solution)
            let length = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let distance = zip(found, expected).reduce(0) { $0 + pow(Double($1.0) - $1.1, 2) }.squareRoot()
            #expect(distance < 1e-3 * length, "λ = \(damping): off by \(distance / length)")
            // Predicted changes are the rows' products with the direction.
            let changes = preparation.rows.products(with: found)
            let largest = changes.map(abs).max() ?? 0
            #expect(zip(solution.marginChanges, changes).allSatisfy { abs($0 - $1) < 5e-3 * largest })
            let half = solver.direction(solution, scaledBy: 0.5)
            #expect(zip(half, found).allSatisfy { abs($0 - 0.5 * $1) <= 1e-5 * abs($1) + 1e-7 })
        }
    }

    @Test("Stored rows are the margins' gradients, and the loss's gradient follows from them")
    func rows() throws {
        for (position, entry) in preparation.entries.enumerated().prefix(10) {
            let prompt = try #require(prompts.first { $0.id == entry.id })
            let row = try #require(entry.row)
            #expect(row == position && entry.digest == prompt.digest)
            let result = try LetterModel().gradient(
                prompts: [LetterShop.tokenizer.encode(prompt.text)], adapter: adapter
            ) { _, logits in
                let slope = Float(
                    Metrics.probability(margin: Double(logits.margin)) - (prompt.label ? 1 : 0))
                return AnswerLogits(yes: slope, no: -slope)
            }
            let gradient = try IFRU.gradient(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
                request: InfluenceRequest(direct: [prompt]))
            #expect(gradient.rest == nil)
            let combined = preparation.rows.combination(gradient.coefficients)
            #expect(zip(combined, result.gradient).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test("The products of rows agree with a plain sum, also beyond one block of columns")
    func gram() throws {
        var random = SeededGenerator(seed: 3)
        for width in [1, 7, 4096, 9001] {
            let values = (0..<(5 * width)).map { _ in Float.random(in: -1...1, using: &random) }
            let rows = InfluenceMatrix(width: width, values: values)
            let gram = try rows.gram()
            let vector = (0..<width).map { _ in Float.random(in: -1...1, using: &random) }
            for a in 0..<5 {
                for b in 0..<5 {
                    let sum = zip(rows.row(a), rows.row(b)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                    let lengths = (gram[a * 6] * gram[b * 6]).squareRoot()
                    #expect(abs(gram[a * 5 + b] - sum) < 2e-6 * lengths)
                    #expect(gram[a * 5 + b] == gram[b * 5 + a])
                }
                let sum = zip(rows.row(a), vector).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                #expect(abs(rows.products(with: vector)[a] - sum) < 1e-5 * Double(width).squareRoot())
            }
            let sum = rows.combination([1, 0, -2, 0, 0], adding: vector)
            for index in 0..<width {
                let expected = values[index] - 2 * values[2 * width + index] + vector[index]
                #expect(abs(sum[index] - expected) < 1e-5)
            }
        }
    }

    @Test("λ must be positive, and there must be rows", arguments: [0, -1, .nan, .infinity] as [Double])
    func refused(damping: Double) throws {
        let gradient = InfluenceGradient(coefficients: prompts.map { _ in 1 })
        let solver = InfluenceSolver(preparation: preparation, gradient: gradient)
        #expect(throws: ApproximateError.dampingNotPositive) { try solver.solve(damping: damping) }
        #expect(throws: ApproximateError.dampingNotPositive) {
            try IFRU.unlearn(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
                request: InfluenceRequest(direct: [prompts[0]]),
                configuration: IFRUConfiguration(damping: .fixed(damping)))
        }
        #expect(throws: ApproximateError.noReferenceRows) { try LetterShop.prepare([], adapter) }
        #expect(throws: ApproximateError.noReferenceRows) { try LetterShop.prepare(prompts, adapter, references: 0) }
    }
}
