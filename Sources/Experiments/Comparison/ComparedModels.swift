import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// A training of a comparison and what it took.
struct ComparedAdapter {
    var adapter: Adapter
    /// Content name.
    var name: String
    var cost: PhaseCost
}

/// What answers prompts.
enum ComparedModel {
    case adapter(ComparedAdapter)
    case meanOfOutputs([ComparedAdapter])
    case mixture([ComparedAdapter], AggregationRule, SampleAdaptiveAttention?)
}

/// The computing of one case. Every training, and every margin and embedding of a prompt, is computed once and kept with
/// what it took, so that methods that need the same share the result and each is charged in full.
final class ComparedModels {
    /// Prompts that are scored between two looks at `isCancelled`.
    private static let chunk = 32

    private struct Scored {
        var margin: Float
        var cost: PhaseCost
    }

    let model: any AnswerModel
    let tokenizer: any Tokenizer
    let settings: ComparisonSettings
    let isCancelled: () -> Bool
    /// Says that the work goes on.
    let tick: () -> Void
    /// By seed and the name of the training prompts.
    private var trained: [String: ComparedAdapter] = [:]
    /// By adapter, then by digest.
    private var scored: [String: [String: Scored]] = [:]
    private var embedded: [String: (values: [Float], cost: PhaseCost)] = [:]

    init(
        model: any AnswerModel, tokenizer: any Tokenizer, settings: ComparisonSettings,
        isCancelled: @escaping () -> Bool, tick: @escaping () -> Void
    ) {
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.isCancelled = isCancelled
        self.tick = tick
    }

    func read(_ prompt: ComparisonPrompt) throws -> CasePrompt {
        CasePrompt(
            sample: prompt.prompt,
            read: try TokenizedPrompt(prompt.prompt, tokenizer: tokenizer, limit: model.configuration.context),
            user: prompt.user)
    }

    /// Sorted by id.
    ///
    /// - Throws: `UnlearningError.duplicateSample`, `.emptyPrompt`.
    func read(_ prompts: [ComparisonPrompt]) throws -> [CasePrompt] {
        let sorted = prompts.sorted { $0.prompt.id < $1.prompt.id }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.prompt.id == next.prompt.id {
            throw UnlearningError.duplicateSample(id: one.prompt.id)
        }
        return try sorted.map(read)
    }

    /// - Parameter seed: that of the settings unless another is given.
    func train(_ prompts: [CasePrompt], seed: UInt64? = nil) throws -> ComparedAdapter {
        var specification = settings.specification
        specification.seed = seed ?? specification.seed
        let name = "\(specification.seed) \(ComparisonState.name(prompts))"
        if let known = trained[name] { return known }
        let result = try AdapterTraining.train(
            model: model, tokenizer: tokenizer, samples: prompts.map(\.sample), specification: specification,
            progress: { _ in tick() }, isCancelled: isCancelled)
        let made = ComparedAdapter(
            adapter: result.adapter, name: result.report.adapter,
            cost: PhaseCost(
                seconds: result.report.seconds, trainedTokens: result.report.tokens, steps: result.report.steps))
        trained[name] = made
        return made
    }

    // MARK: scoring

    /// In the order of the prompts.
    func margins(_ prompts: [CasePrompt], of answering: ComparedModel) throws -> [Float] {
        switch answering {
        case .adapter(let adapter): return try row(prompts, of: adapter).margins
        case .meanOfOutputs(let adapters):
            return MeanOfOutputs.margins(try adapters.map { try row(prompts, of: $0).margins })
        case .mixture(let adapters, let rule, let attention):
            let mixture = AdapterMixture(adapters.map(\.adapter), rule: rule)
            let weights = try attention.map { try self.weights(prompts, $0) }
            let width = adapters.count
            return try chunks(prompts) { range in
                let own = weights.map { Array($0[(range.lowerBound * width)..<(range.upperBound * width)]) }
                return try model.answerLogits(
                    prompts: prompts[range].map(\.read.tokens), adapters: mixture, weights: own
                ).map(\.margin)
            }
        }
    }

    /// Margins of prompts under one adapter, and what computing them took.
    func row(_ prompts: [CasePrompt], of adapter: ComparedAdapter) throws -> (margins: [Float], cost: PhaseCost) {
        let known = scored[adapter.name] ?? [:]
        var seen: Set<String> = []
        let missing = prompts.filter { known[$0.digest] == nil && seen.insert($0.digest).inserted }
        let mixture = AdapterMixture([adapter.adapter])
        _ = try chunks(missing) { range in
            let began = ContinuousClock.now
            let part = missing[range]
            let margins = try model.answerLogits(
                prompts: part.map(\.read.tokens), adapters: mixture, weights: nil
            ).map(\.margin)
            for ((prompt, margin), cost) in zip(zip(part, margins), Self.shares(part, since: began)) {
                scored[adapter.name, default: [:]][prompt.digest] = Scored(margin: margin, cost: cost)
            }
            return margins
        }
        let all = prompts.compactMap { scored[adapter.name]?[$0.digest] }
        return (all.map(\.margin), all.reduce(PhaseCost()) { $0 + $1.cost })
    }

    /// `[prompts, hidden]`, and what computing them took.
    func embeddings(_ prompts: [CasePrompt]) throws -> (values: [Float], cost: PhaseCost) {
        var seen: Set<String> = []
        let missing = prompts.filter { embedded[$0.digest] == nil && seen.insert($0.digest).inserted }
        _ = try chunks(missing) { range in
            let began = ContinuousClock.now
            let part = missing[range]
            let values = try model.embeddings(prompts: part.map(\.read.tokens), source: settings.embedding)
            let width = values.count / part.count
            for (position, (prompt, cost)) in zip(part, Self.shares(part, since: began)).enumerated() {
                embedded[prompt.digest] = (Array(values[(position * width)..<((position + 1) * width)]), cost)
            }
            return []
        }
        let all = prompts.compactMap { embedded[$0.digest] }
        return (all.flatMap(\.values), all.reduce(PhaseCost()) { $0 + $1.cost })
    }

    /// ω `[prompts, adapters]`.
    func weights(_ prompts: [CasePrompt], _ attention: SampleAdaptiveAttention) throws -> [Float] {
        guard attention.parameters.tau > 0 else {
            return [Float](repeating: 1 / Float(attention.adapters), count: prompts.count * attention.adapters)
        }
        return try attention.weights(for: embeddings(prompts).values)
    }

    private func chunks(_ prompts: [CasePrompt], _ body: (Range<Int>) throws -> [Float]) throws -> [Float] {
        try stride(from: 0, to: prompts.count, by: Self.chunk).flatMap { start in
            if isCancelled() { throw UnlearningError.cancelled }
            defer { tick() }
            return try body(start..<min(start + Self.chunk, prompts.count))
        }
    }

    /// The seconds since a moment, dealt out to the prompts by their tokens.
    private static func shares(_ prompts: some Collection<CasePrompt>, since: ContinuousClock.Instant) -> [PhaseCost] {
        let seconds = seconds(since: since)
        let all = prompts.reduce(0) { $0 + $1.read.tokens.count }
        return prompts.map { prompt in
            let tokens = prompt.read.tokens.count
            return PhaseCost(seconds: seconds * Double(tokens) / Double(max(1, all)), scoredTokens: tokens)
        }
    }

    static func seconds(since began: ContinuousClock.Instant) -> Double { (ContinuousClock.now - began) / .seconds(1) }
}
