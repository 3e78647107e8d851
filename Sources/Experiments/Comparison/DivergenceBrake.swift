import LanguageModels
import Recommendation
import Unlearning

/// Holds back a forgetting whose aim has no lower bound: some retained prompts are watched, and the step that takes the mean
/// Kullback–Leibler divergence of their answers from the original's over the cap is halved until it does not.
struct DivergenceBrake {
    /// A step as it may be taken.
    struct Step {
        /// nil: also the smallest part of it goes too far.
        var values: [Float]?
        /// Of the probes under `values`, in nats.
        var divergence: Double
        var isCapped: Bool
    }

    private let model: any AnswerModel
    private let layout: AdapterLayout
    private let probes: [TokenizedPrompt]
    private let cap: Double
    private var before: [Double] = []
    private(set) var scoredTokens = 0

    /// - Throws: `UnlearningError.emptyPrompt`, `.notFinite`; whatever the model throws.
    init(
        model: any AnswerModel, tokenizer: any Tokenizer, original: Adapter, retained: [TrainingPrompt],
        configuration: GradientAscentConfiguration
    ) throws {
        self.model = model
        layout = original.layout
        cap = configuration.divergenceCap
        let keyed = retained.map { (FieldHash.number(["ascent probe", String(configuration.seed), $0.id]), $0) }
        let chosen = keyed.sorted { ($0.0, $0.1.id) < ($1.0, $1.1.id) }.prefix(configuration.probes)
        probes = try chosen.map {
            try TokenizedPrompt($0.1, tokenizer: tokenizer, limit: model.configuration.context)
        }
        before = try margins(original.values)
        guard before.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the original's answers") }
    }

    private mutating func margins(_ values: [Float]) throws -> [Double] {
        scoredTokens += probes.tokenCount
        return try model.answerLogits(
            prompts: probes.map(\.tokens), adapters: AdapterMixture([Adapter(layout: layout, values: values)]),
            weights: nil
        ).map { Double($0.margin) }
    }

    /// Infinite when anything is not a number.
    private mutating func divergence(_ values: [Float]) throws -> Double {
        guard values.allSatisfy(\.isFinite) else { return .infinity }
        let after = try margins(values)
        let sum = zip(before, after).reduce(0) { $0 + AnswerDivergence.kullbackLeibler($1.0, $1.1) }
        let mean = sum / Double(before.count)
        return mean.isFinite ? mean : .infinity
    }

    mutating func step(from values: [Float], to wanted: [Float]) throws -> Step {
        var moved = wanted
        var distance = try divergence(moved)
        let isCapped = distance > cap
        for _ in 0..<10 where distance > cap {
            moved = zip(values, moved).map { ($0 + $1) / 2 }
            distance = try divergence(moved)
        }
        return Step(values: distance <= cap ? moved : nil, divergence: distance, isCapped: isCapped)
    }
}
