import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// What a method made of a request.
struct ComparedOutcome {
    var model: ComparedModel
    var training: PhaseCost
    var preparation = PhaseCost()
    var request = PhaseCost()
    var parameters = 0
    /// Why a cluster would not publish it; nil: it would.
    var refused: String?
}

/// Every method of a comparison, applied to one request at a time, from the data before any.
struct ComparedMethods {
    /// Far from the seeds of other cases, which follow one another.
    private static let otherSeed: UInt64 = 1 << 32

    let before: ComparisonState
    let original: ComparedAdapter
    private let work: ComparedModels
    private let sliced: SlicedTrainings
    private var ensembles: [PartitionMethod: ShardEnsemble] = [:]
    private var prepared: Result<InfluencePreparation, any Error>?

    init(before: ComparisonState, work: ComparedModels) throws {
        self.before = before
        self.work = work
        sliced = SlicedTrainings(work: work)
        original = try work.train(before.training)
    }

    private var settings: ComparisonSettings { work.settings }
    private var parameters: Int { original.adapter.layout.count }

    mutating func outcome(
        of method: ComparisonMethod, after step: ComparisonStep, retrained: ComparedAdapter
    ) throws -> ComparedOutcome {
        switch method {
        case .original: return ComparedOutcome(model: .adapter(original), training: original.cost)
        case .retrain:
            return ComparedOutcome(
                model: .adapter(retrained), training: original.cost, request: retrained.cost, parameters: parameters)
        case .retrainAgain:
            let again = try work.train(step.after.training, seed: settings.specification.seed ^ Self.otherSeed)
            return ComparedOutcome(
                model: .adapter(again), training: original.cost, request: again.cost, parameters: parameters)
        case .retrainSliced:
            let first = try sliced.first(before.training)
            let again = try sliced.again(step.after.training)
            return ComparedOutcome(
                model: .adapter(again), training: first.cost, request: again.cost, parameters: parameters)
        case .sisa: return try ensemble(.hash, after: step) { .meanOfOutputs($0) }
        case .recEraser: return try ensemble(.user, after: step) { .meanOfOutputs($0) }
        case .gradientAscent:
            let result = try GradientAscent.unlearn(
                model: work.model, tokenizer: work.tokenizer, adapter: original.adapter,
                forget: step.forgetSet.map(\.sample), retained: step.after.training.map(\.sample),
                configuration: settings.ascent, isCancelled: work.isCancelled)
            return approximate(result.adapter, request: result.cost)
        case .negativeDivergence: return try taught(.away, after: step)
        case .badTeacher: return try taught(.incompetentTeacher, after: step)
        case .negativePreference: return try taught(.dispreferred, after: step)
        case .e2urec:
            let result = try RefusedCorrection.naming {
                try E2URec.unlearn(
                    model: work.model, tokenizer: work.tokenizer, adapter: original.adapter,
                    forget: step.forgetSet.map(\.sample), retained: step.after.training.map(\.sample),
                    configuration: settings.e2urec, progress: { _ in work.tick() }, isCancelled: work.isCancelled)
            }
            return approximate(result.student.adapter, request: result.report.total)
        case .ifru, .ifruDirect:
            let preparation = try RefusedCorrection.naming { try self.preparation() }
            var configuration = settings.ifru
            configuration.spillover = method == .ifru
            let result = try RefusedCorrection.naming {
                try IFRU.unlearn(
                    model: work.model, tokenizer: work.tokenizer, adapter: original.adapter, preparation: preparation,
                    request: step.request, retained: step.after.training.map(\.sample), configuration: configuration,
                    isCancelled: work.isCancelled)
            }
            var outcome = approximate(
                result.corrected.adapter, preparation: preparation.cost, request: result.report.total)
            outcome.refused = RefusedCorrection(result, under: configuration)?.description
            return outcome
        case .apaD: return try apa(.decomposed, after: step)
        case .apaND: return try apa(.nonDecomposed, after: step)
        case .apaSliced: return try apa(.nonDecomposed, after: step, inSlices: true)
        }
    }

    private func taught(_ aim: TeacherForgetting.Aim, after step: ComparisonStep) throws -> ComparedOutcome {
        let result = try TeacherForgetting.unlearn(
            model: work.model, tokenizer: work.tokenizer, adapter: original.adapter,
            forget: step.forgetSet.map(\.sample), retained: step.after.training.map(\.sample), aim: aim,
            configuration: settings.ascent, isCancelled: work.isCancelled)
        return approximate(result.adapter, request: result.cost)
    }

    private func approximate(
        _ adapter: Adapter, preparation: PhaseCost = PhaseCost(), request: PhaseCost
    ) -> ComparedOutcome {
        ComparedOutcome(
            model: .adapter(ComparedAdapter(adapter: adapter, name: adapter.contentName, cost: request)),
            training: original.cost, preparation: preparation, request: request, parameters: parameters)
    }

    // MARK: shards

    /// The ensemble as dealt before any request; a copy takes one request.
    private mutating func ensemble(_ method: PartitionMethod) throws -> ShardEnsemble {
        if let known = ensembles[method] { return known }
        let made = try ShardEnsemble(method, of: before.training, work: work)
        ensembles[method] = made
        return made
    }

    private mutating func ensemble(
        _ method: PartitionMethod, after step: ComparisonStep, join: ([ComparedAdapter]) -> ComparedModel
    ) throws -> ComparedOutcome {
        var ensemble = try ensemble(method)
        let first = try ensemble.adapters(before: nil, after: before).all
        let (all, new) = try ensemble.adapters(before: before, after: step.after)
        return ComparedOutcome(
            model: join(all), training: first.reduce(PhaseCost()) { $0 + $1.cost },
            preparation: ensemble.preparation, request: new.reduce(PhaseCost()) { $0 + $1.cost },
            parameters: new.count * parameters)
    }

    private mutating func apa(
        _ rule: AggregationRule, after step: ComparisonStep, inSlices: Bool = false
    ) throws -> ComparedOutcome {
        var ensemble = try ensemble(settings.partition)
        let (work, sliced) = (self.work, self.sliced)
        func train(_ prompts: [CasePrompt], changed: Bool) throws -> ComparedAdapter {
            guard inSlices else { return try work.train(prompts) }
            return try changed ? sliced.again(prompts) : sliced.first(prompts)
        }
        let first = try ensemble.adapters(before: nil, after: before, train: train).all
        // What the attention needs before any request is preparation.
        let preparing = try ComparedAttention(first, new: first, validation: before.validation, work: work)
        let embedding = try work.embeddings(before.validation).cost
        let (all, new) = try ensemble.adapters(before: before, after: step.after, train: train)
        let attention = try ComparedAttention(all, new: new, validation: step.after.validation, work: work)
        return ComparedOutcome(
            model: .mixture(all, rule, attention.attention), training: first.reduce(PhaseCost()) { $0 + $1.cost },
            preparation: ensemble.preparation + preparing.cost + embedding,
            request: new.reduce(attention.cost) { $0 + $1.cost }, parameters: new.count * parameters)
    }

    /// For a sequence: APA as dealt before any request.
    mutating func apaEnsemble() throws -> ShardEnsemble { try ensemble(settings.partition) }

    /// ω over the test prompts before any request; nil without attention.
    mutating func attentionWeights(seed: UInt64, data: String) throws -> AttentionWeights? {
        var ensemble = try ensemble(settings.partition)
        let adapters = try ensemble.adapters(before: nil, after: before).all
        guard
            let attention = try ComparedAttention(
                adapters, new: adapters, validation: before.validation, work: work
            ).attention
        else { return nil }
        let prompts = Array(before.test.prefix(500))
        let weights = try work.weights(prompts, attention)
        return AttentionWeights(
            seed: seed, data: data, tau: attention.parameters.tau, neighbours: attention.parameters.neighbours,
            weights: adapters.indices.map { shard in
                prompts.indices.map { Double(weights[$0 * adapters.count + shard]) }
            })
    }

    // MARK: IFRU

    /// Made once, with λ chosen by a trial.
    mutating func preparation() throws -> InfluencePreparation {
        if let prepared { return try prepared.get() }
        let made = Result { try prepare(original.adapter, of: before.training) }
        // Being stopped says nothing about the method.
        if case .failure(UnlearningError.cancelled) = made { return try made.get() }
        prepared = made
        return try made.get()
    }

    /// Prompts whose gradients the preparation is made of; nil: there is none.
    var preparedReferences: Int? { (try? prepared?.get())?.referenceCount }

    /// As a worker prepares a shard: every prompt has its row, and what takes more memory than a worker allows is refused.
    ///
    /// - Parameter prompts: what the adapter was trained on.
    func prepare(_ adapter: Adapter, of prompts: [CasePrompt]) throws -> InfluencePreparation {
        let prompts = prompts.map(\.sample)
        let preparation = try InfluencePreparation(
            model: work.model, tokenizer: work.tokenizer, adapter: adapter, prompts: prompts,
            progress: { _, _ in work.tick() }, isCancelled: work.isCancelled)
        let trial = InfluenceTrial(specification: settings.specification, configuration: settings.ifru)
        guard trial.isWorthwhile(prompts: prompts.count) else { return preparation }
        return try preparation.calibrated(
            model: work.model, tokenizer: work.tokenizer, adapter: adapter, prompts: prompts, by: trial,
            progress: { _ in work.tick() }, isCancelled: work.isCancelled)
    }
}

/// A correction that a cluster would not publish either: it trains the shard anew instead.
struct RefusedCorrection: Error, CustomStringConvertible {
    var reason: ApproximateError

    var description: String { "refused, as in a cluster, which trains anew instead: \(reason)" }

    init(reason: ApproximateError) { self.reason = reason }

    /// nil: a cluster would publish it.
    init?(_ result: IFRU.Result, under configuration: IFRUConfiguration) {
        guard let reason = result.refusal(under: configuration) else { return nil }
        self.reason = reason
    }

    /// Names what stops an approximate method as what it is.
    static func naming<Outcome>(_ body: () throws -> Outcome) throws -> Outcome {
        do {
            return try body()
        } catch let reason as ApproximateError {
            throw RefusedCorrection(reason: reason)
        }
    }
}
