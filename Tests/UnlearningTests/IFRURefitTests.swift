import Compute
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("The linearised training, solved again")
struct IFRURefitTests {
    private static let prompts = letterPrompts(40, seed: 4)

    /// A preparation that is told to refit with this ρ.
    private static func prepared(
        _ adapter: Adapter, _ prompts: [TrainingPrompt], ridge: Double, references: Int? = nil
    ) throws -> InfluencePreparation {
        try InfluenceSupport.prepared(
            adapter, prompts, calibration: #""solution":"refit","damping":\#(ridge)"#, references: references)
    }

    @Test("The dual optimum is the primal one: no direction lowers the penalised loss", arguments: [1e-3, 0.1, 10])
    func optimum(ridge: Double) throws {
        let (count, width) = (12, 20)
        let generator = CounterGenerator(seed: 1)
        let numbers = generator.uniforms(count: count * width + count, low: -1, high: 1).map(Double.init)
        let rows = (0..<count).map { Array(numbers[($0 * width)..<(($0 + 1) * width)]) }
        let start = Array(numbers[(count * width)...])
        let labels = (0..<count).map { $0 % 3 == 0 }
        let gram = rows.flatMap { row in rows.map { zip(row, $0).reduce(0) { $0 + $1.0 * $1.1 } } }
        let regression = DualRegression(gram: gram, start: start, labels: labels)
        let members = [0, 1, 3, 4, 6, 9, 11]
        let dual = try regression.coefficients(members: members, ridge: ridge)
        #expect((0..<count).allSatisfy { members.contains($0) || dual[$0] == 0 })
        // Another way to it ends at the same.
        let guess = try regression.coefficients(members: Array(0..<count), ridge: ridge)
        let again = try regression.coefficients(members: members, ridge: ridge, guess: guess)
        #expect(zip(dual, again).allSatisfy { abs($0 - $1) < 1e-7 / ridge })
        let optimum = (0..<width).map { column in
            (0..<count).reduce(0.0) { $0 + dual[$1] * rows[$1][column] }
        }
        func loss(_ parameters: [Double]) -> Double {
            members.reduce(0.5 * ridge * parameters.reduce(0) { $0 + $1 * $1 }) { sum, row in
                let margin = start[row] + zip(parameters, rows[row]).reduce(0) { $0 + $1.0 * $1.1 }
                return sum + log1p(exp(labels[row] ? -margin : margin))
            }
        }
        for column in 0..<width {
            var (more, less) = (optimum, optimum)
            more[column] += 1e-4
            less[column] -= 1e-4
            #expect(abs(loss(more) - loss(less)) / 2e-4 < 1e-6)
        }
        #expect(throws: ApproximateError.dampingNotPositive) {
            try regression.coefficients(members: members, ridge: 0)
        }
    }

    @Test("Where margins are linear, the corrected parameters are those of a training on what is left")
    func linear() throws {
        let ridge = 0.05
        let original = try LinearModel.optimum(Self.prompts, ridge: ridge)
        var changed = Array(Self.prompts[5..<8])
        for index in changed.indices { changed[index].input += "xyz" }
        let added = letterPrompts(2, seed: 9).enumerated().map { index, prompt in
            TrainingPrompt(id: "new \(index)", instruction: "", input: prompt.input + "q", label: prompt.label)
        }
        let request = InfluenceRequest(
            direct: Array(Self.prompts[0..<5]),
            rebuilt: zip(Self.prompts[5..<8], changed).map { InfluenceRequest.Rebuilt(old: $0, new: $1) }, added: added)
        let expected = try LinearModel.optimum(Array(Self.prompts[8...]) + changed + added, ridge: ridge)
        let preparation = try Self.prepared(original, Self.prompts, ridge: ridge)
        let result = try InfluenceSupport.unlearn(original, preparation, request)
        let moved = zip(original.values, expected.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        let found = result.corrected.adapter.values
        #expect(zip(found, expected.values).allSatisfy { abs($0 - $1) < 1e-4 * max(moved, 1) } && moved > 0.05)
        #expect(result.report.backwardPrompts == 5 && result.report.step == 1 && result.report.damping == ridge)
        #expect(result.corrected.provenance.method == .ifru)
        // One prompt after the other comes to the same, over what each left.
        let first = InfluenceRequest(direct: Array(Self.prompts[0..<3]))
        let second = InfluenceRequest(direct: Array(Self.prompts[3..<5]))
        let half = try InfluenceSupport.unlearn(original, preparation, first)
        let successor = try InfluenceSuccessor(
            of: preparation, after: half, of: first, tokenizer: ByteTokenizer(), limit: 1000)
        let next = try successor.preparation(model: LinearModel(), adapter: half.corrected.adapter)
        #expect(next.start.count == 37 && next.calibration == preparation.calibration)
        let whole = try InfluenceSupport.unlearn(half.corrected.adapter, next, second).corrected.adapter.values
        let target = try LinearModel.optimum(Array(Self.prompts[5...]), ridge: ridge).values
        #expect(zip(whole, target).allSatisfy { abs($0 - $1) < 1e-4 * max(moved, 1) })
    }

    @Test("Of memorised prompts a trial takes the refit, which halves the distance to retraining")
    func memorised() throws {
        let training = try MemorisedTraining(Self.prompts, model: LinearModel())
        let (original, retained) = (training.original, training.retained)
        let preparation = try training.calibrated(among: [.step, .refit])
        let known = try #require(preparation.calibration)
        #expect(known.solution == .refit && known.distanceAfter < 0.5 * known.distanceBefore)
        let request = InfluenceRequest(direct: training.forget)
        let before = try training.distance(original)
        #expect(before > 0.05)
        let refit = try InfluenceSupport.unlearn(original, preparation, request, retained: retained)
        #expect(try training.distance(refit.corrected.adapter) < 0.5 * before)
        #expect(refit.report.calibration == known && refit.report.solving.steps == 1)
        let step = try InfluenceSupport.unlearn(original, training.plain, request, retained: retained)
        #expect(try training.distance(refit.corrected.adapter) < training.distance(step.corrected.adapter))
        // It is a function of its input, and kept it stays what it is.
        let read = try InfluenceSupport.read(InfluenceSupport.written(preparation))
        #expect(read == preparation && read.coefficients.count == 40)
        #expect(
            try InfluenceSupport.unlearn(original, read, request, retained: retained).corrected.adapter
                == refit.corrected.adapter)
    }
}
