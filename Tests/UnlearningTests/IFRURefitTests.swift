import Compute
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("The linearised training, solved again")
struct IFRURefitTests {
    private static let lora = LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value])
    private static let prompts = letterPrompts(40, seed: 4)

    /// A preparation that is told to refit with this ρ.
    private static func prepared(
        _ adapter: Adapter, _ prompts: [TrainingPrompt], ridge: Double, references: Int? = nil
    ) throws -> InfluencePreparation {
        var made = try InfluencePreparation(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: adapter, prompts: prompts,
            references: references)
        let calibration =
            #"{"solution":"refit","damping":\#(ridge),"disagreement":0,"prompts":1,"distanceBefore":1,"distanceAfter":0}"#
        try made.take(JSONDecoder().decode(InfluenceCalibration.self, from: Data(calibration.utf8)))
        return made
    }

    private static func unlearn(
        _ adapter: Adapter, _ preparation: InfluencePreparation, _ request: InfluenceRequest,
        retained: [TrainingPrompt] = []
    ) throws -> IFRU.Result {
        try IFRU.unlearn(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: adapter, preparation: preparation,
            request: request, retained: retained)
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
        let result = try Self.unlearn(original, preparation, request)
        let moved = zip(original.values, expected.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        let found = result.corrected.adapter.values
        #expect(zip(found, expected.values).allSatisfy { abs($0 - $1) < 1e-4 * max(moved, 1) } && moved > 0.05)
        #expect(result.report.backwardPrompts == 5 && result.report.step == 1 && result.report.damping == ridge)
        #expect(result.corrected.provenance.method == .ifru)
        // One prompt after the other comes to the same, over what each left.
        let first = InfluenceRequest(direct: Array(Self.prompts[0..<3]))
        let second = InfluenceRequest(direct: Array(Self.prompts[3..<5]))
        let half = try Self.unlearn(original, preparation, first)
        let successor = try InfluenceSuccessor(
            of: preparation, after: half, of: first, tokenizer: ByteTokenizer(), limit: 1000)
        let next = try successor.preparation(model: LinearModel(), adapter: half.corrected.adapter)
        #expect(next.start.count == 37 && next.calibration == preparation.calibration)
        let whole = try Self.unlearn(half.corrected.adapter, next, second).corrected.adapter.values
        let target = try LinearModel.optimum(Array(Self.prompts[5...]), ridge: ridge).values
        #expect(zip(whole, target).allSatisfy { abs($0 - $1) < 1e-4 * max(moved, 1) })
    }

    @Test("Of memorised prompts a trial takes the refit, which halves the distance to retraining")
    func memorised() throws {
        let specification = TrainingSpecification(
            base: "base", precision: .f32, lora: Self.lora, seed: 3, epochs: 40, batch: 4, learningRate: 0.01)
        func train(_ prompts: [TrainingPrompt]) throws -> Adapter {
            try AdapterTraining.train(
                model: LinearModel(), tokenizer: ByteTokenizer(), samples: prompts, specification: specification
            ).adapter
        }
        let (forget, retained) = (Array(Self.prompts[..<8]), Array(Self.prompts[8...]))
        let (original, reference) = (try train(Self.prompts), try train(retained))
        let plain = try InfluencePreparation(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: original, prompts: Self.prompts)
        let preparation = try plain.calibrated(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: original, prompts: Self.prompts,
            by: InfluenceTrial(specification: specification), among: [.step, .refit])
        let known = try #require(preparation.calibration)
        #expect(known.solution == .refit && known.distanceAfter < 0.5 * known.distanceBefore)
        func distance(_ adapter: Adapter) throws -> Double {
            try #require(
                DivergenceSummary(
                    margins: try LinearModel.margins(forget, adapter), reference: LinearModel.margins(forget, reference)
                ).jensenShannon)
        }
        let request = InfluenceRequest(direct: forget)
        let before = try distance(original)
        #expect(before > 0.05)
        let refit = try Self.unlearn(original, preparation, request, retained: retained)
        #expect(try distance(refit.corrected.adapter) < 0.5 * before)
        #expect(refit.report.calibration == known && refit.report.solving.steps == 1)
        let step = try IFRU.unlearn(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: original, preparation: plain, request: request,
            retained: retained)
        #expect(try distance(refit.corrected.adapter) < distance(step.corrected.adapter))
        // It is a function of its input, and kept it stays what it is.
        var bytes = Data()
        try preparation.write { bytes.append($0) }
        var rest = bytes[...]
        let read = try InfluencePreparation(count: bytes.count) { buffer in
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest = rest.dropFirst(buffer.count)
        }
        #expect(read == preparation && read.coefficients.count == 40)
        #expect(
            try Self.unlearn(original, read, request, retained: retained).corrected.adapter
                == refit.corrected.adapter)
    }
}

/// Margins that are linear in the adapter's second factors: prompts have pseudo-random features, many more than prompts.
final class LinearModel: AnswerModel {
    let configuration = ModelConfiguration(
        family: .llama, vocabulary: 256, hidden: 32, layers: 1, heads: 1, keyValueHeads: 1, headDimension: 32,
        intermediate: 4, context: 4096, ropeTheta: 1e4, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
        attentionBias: false)

    /// Of the second factors; the first ones have no influence.
    private func features(_ prompt: [Int32], _ layout: AdapterLayout) -> [Float] {
        let path = prompt.map { UInt64(UInt32(bitPattern: $0)) }
        let own = CounterGenerator(seed: 1, path: path).uniforms(count: layout.count, low: -0.3, high: 0.3)
        let shared = CounterGenerator(seed: 2).uniforms(count: layout.count, low: -0.2, high: 0.2)
        var result = [Float](repeating: 0, count: layout.count)
        let rank = layout.configuration.rank
        for site in layout.sites {
            for index in site.offsetB..<(site.offsetB + site.outputs * rank) {
                result[index] = own[index] + shared[index]
            }
        }
        return result
    }

    private func start(_ prompt: [Int32]) -> Float { Float(prompt.reduce(0) { ($0 + Int($1)) % 7 }) / 7 - 0.4 }

    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        var gradient = [Float](repeating: 0, count: adapter.layout.count)
        var logits: [AnswerLogits] = []
        for (index, prompt) in prompts.enumerated() {
            let features = features(prompt, adapter.layout)
            let margin = zip(features, adapter.values).reduce(start(prompt)) { $0 + $1.0 * $1.1 }
            logits.append(AnswerLogits(yes: margin / 2, no: -margin / 2))
            let slope = lossGradient(index, logits[index])
            for position in gradient.indices { gradient[position] += (slope.yes - slope.no) / 2 * features[position] }
        }
        return (gradient, logits)
    }

    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits] {
        guard let adapter = adapters?.adapters.first else {
            return prompts.map { AnswerLogits(yes: start($0) / 2, no: -start($0) / 2) }
        }
        return try gradient(prompts: prompts, adapter: adapter) { _, _ in AnswerLogits(yes: 0, no: 0) }.logits
    }

    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { [] }

    static func margins(_ prompts: [TrainingPrompt], _ adapter: Adapter) throws -> [Float] {
        try LinearModel().answerLogits(
            prompts: prompts.map { ByteTokenizer().encode($0.text) }, adapters: AdapterMixture([adapter]), weights: nil
        ).map(\.margin)
    }

    /// The minimum of Σ ℓ + (ρ/2)·‖θ‖², by gradient descent with momentum.
    static func optimum(_ prompts: [TrainingPrompt], ridge: Double) throws -> Adapter {
        let model = LinearModel()
        let layout = AdapterLayout(
            model: model.configuration, configuration: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]))
        let rows = prompts.map { model.features(ByteTokenizer().encode($0.text), layout).map(Double.init) }
        let start = prompts.map { Double(model.start(ByteTokenizer().encode($0.text))) }
        var parameters = [Double](repeating: 0, count: layout.count)
        var speed = parameters
        for _ in 0..<4000 {
            var gradient = parameters.map { ridge * $0 }
            for (index, row) in rows.enumerated() {
                let margin = zip(row, parameters).reduce(start[index]) { $0 + $1.0 * $1.1 }
                let slope = Metrics.probability(margin: margin) - (prompts[index].label ? 1 : 0)
                for position in gradient.indices where row[position] != 0 {
                    gradient[position] += slope * row[position]
                }
            }
            for position in parameters.indices {
                speed[position] = 0.9 * speed[position] - 0.02 * gradient[position]
                parameters[position] += speed[position]
            }
        }
        return Adapter(layout: layout, values: parameters.map(Float.init))
    }
}
