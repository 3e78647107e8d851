import Compute
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

/// What tests of corrections by rows (refits and interpolations) have in common.
enum InfluenceSupport {
    /// A preparation that is told how to solve, whatever a trial would show.
    ///
    /// - Parameter calibration: members of its JSON that say how: the solution, its damping, and so on.
    static func prepared(
        _ adapter: Adapter, _ prompts: [TrainingPrompt], calibration: String, references: Int? = nil
    ) throws -> InfluencePreparation {
        var made = try InfluencePreparation(
            model: LinearModel(), tokenizer: ByteTokenizer(), adapter: adapter, prompts: prompts,
            references: references)
        try made.take(Self.calibration(calibration))
        return made
    }

    static func calibration(_ members: String) throws -> InfluenceCalibration {
        let json = #"{\#(members),"disagreement":0,"prompts":1,"distanceBefore":1,"distanceAfter":0}"#
        return try JSONDecoder().decode(InfluenceCalibration.self, from: Data(json.utf8))
    }

    static func unlearn(
        _ adapter: Adapter, _ preparation: InfluencePreparation, _ request: InfluenceRequest,
        retained: [TrainingPrompt] = [], model: any AnswerModel = LinearModel(),
        memoryLimit: Int = InfluencePreparation.defaultMemoryLimit
    ) throws -> IFRU.Result {
        try IFRU.unlearn(
            model: model, tokenizer: ByteTokenizer(), adapter: adapter, preparation: preparation, request: request,
            retained: retained, memoryLimit: memoryLimit)
    }

    static func written(_ preparation: InfluencePreparation) throws -> Data {
        var bytes = Data()
        try preparation.write { bytes.append($0) }
        return bytes
    }

    static func read(_ bytes: Data) throws -> InfluencePreparation {
        var rest = bytes[...]
        return try InfluencePreparation(count: bytes.count) { buffer in
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest = rest.dropFirst(buffer.count)
        }
    }
}

/// A training that memorises its prompts, and the same without the first eight of forty.
struct MemorisedTraining {
    let model: any AnswerModel
    let forget: [TrainingPrompt]
    let retained: [TrainingPrompt]
    let specification: TrainingSpecification
    let original: Adapter
    private let reference: Adapter
    /// Not calibrated.
    let plain: InfluencePreparation

    init(_ prompts: [TrainingPrompt], model: any AnswerModel) throws {
        self.model = model
        (forget, retained) = (Array(prompts[..<8]), Array(prompts[8...]))
        specification = TrainingSpecification(
            base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]),
            seed: 3, epochs: 40, batch: 4, learningRate: 0.01)
        let specification = specification
        func train(_ prompts: [TrainingPrompt]) throws -> Adapter {
            try AdapterTraining.train(
                model: model, tokenizer: ByteTokenizer(), samples: prompts, specification: specification
            ).adapter
        }
        (original, reference) = (try train(prompts), try train(retained))
        plain = try InfluencePreparation(
            model: model, tokenizer: ByteTokenizer(), adapter: original, prompts: prompts)
    }

    /// By a trial.
    func calibrated(
        among solutions: [InfluenceCalibration.Solution] = InfluenceCalibration.Solution.allCases
    ) throws -> InfluencePreparation {
        try plain.calibrated(
            model: model, tokenizer: ByteTokenizer(), adapter: original, prompts: forget + retained,
            by: InfluenceTrial(specification: specification), among: solutions)
    }

    /// Of answers about what was forgotten to those of the training without it.
    func distance(_ adapter: Adapter) throws -> Double {
        try #require(
            DivergenceSummary(margins: try margins(forget, adapter), reference: try margins(forget, reference))
                .jensenShannon)
    }

    private func margins(_ prompts: [TrainingPrompt], _ adapter: Adapter) throws -> [Float] {
        try model.answerLogits(
            prompts: prompts.map { ByteTokenizer().encode($0.text) }, adapters: AdapterMixture([adapter]), weights: nil
        ).map(\.margin)
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
