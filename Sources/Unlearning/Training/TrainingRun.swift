import Compute
import LanguageModels
import Recommendation

/// A training under way: the optimiser's steps, slice by slice.
struct TrainingRun {
    private let model: any AnswerModel
    private let specification: TrainingSpecification
    private let layout: AdapterLayout
    private let dropout: FeatureDropout?
    private let clock = ContinuousClock()
    /// What was there before, and how much is to come.
    private let before: TrainingState
    private let steps: Int
    private let tokens: Int
    private(set) var state: TrainingState
    private(set) var validation: HeldOutSelection?
    /// Forward, backward and optimiser.
    private(set) var computing = Duration.zero

    /// - `slices`: all of them, also those that were trained before.
    init(
        model: any AnswerModel, specification: TrainingSpecification, layout: AdapterLayout, from state: TrainingState,
        validation: HeldOutSelection?, slices: [[AdapterTraining.Sample]]
    ) {
        self.model = model
        self.specification = specification
        self.layout = layout
        dropout = FeatureDropout(specification)
        before = state
        self.state = state
        self.validation = validation
        let all = slices.reduce(0) {
            $0 + AdapterTraining.stepCount(samples: $1.count, specification: specification)
        }
        steps = all - state.optimiser.steps
        tokens = specification.epochs * slices.joined().reduce(0) { $0 + $1.tokens.count } - state.tokens
    }

    /// All epochs of one slice.
    ///
    /// - `done`: steps of it that were taken before.
    /// - `passed`: called after every step of the slice but the last.
    /// - Throws: `UnlearningError.notFinite`, `.cancelled`; what the model throws.
    mutating func train(
        on samples: [AdapterTraining.Sample], after done: Int, progress: (TrainingProgress) -> Void,
        passed: (TrainingState) -> Void, isCancelled: () -> Bool
    ) throws {
        let earlier = state.optimiser.steps - done
        var taken = 0
        let sliceSteps = AdapterTraining.stepCount(samples: samples.count, specification: specification)
        for epoch in 0..<specification.epochs {
            let order = AdapterTraining.order(of: samples.map(\.id), epoch: epoch, seed: specification.seed)
            for start in stride(from: 0, to: order.count, by: specification.batch) {
                taken += 1
                guard taken > done else { continue }
                if isCancelled() { throw UnlearningError.cancelled }
                let batch = order[start..<min(start + specification.batch, order.count)].map { samples[$0] }
                let step = state.optimiser.steps + 1
                let loss = try take(
                    batch, step: step,
                    rate: specification.learningRate(step: step - earlier, of: sliceSteps, after: earlier))
                state.lossSums[epoch] += loss
                state.tokens += batch.reduce(0) { $0 + $1.tokens.count }
                progress(
                    TrainingProgress(
                        step: step - before.optimiser.steps, steps: steps, epoch: epoch,
                        loss: loss / Double(batch.count), tokens: state.tokens - before.tokens, totalTokens: tokens))
                if taken < sliceSteps { passed(state) }
            }
            let (model, adapter) = (model, Adapter(layout: layout, values: state.adapter))
            try validation?.judge(adapter, model: model, isCancelled: isCancelled)
        }
    }

    /// One optimiser step. Returns the sum of the batch's losses, in nats.
    private mutating func take(_ batch: [AdapterTraining.Sample], step: Int, rate: Float) throws -> Double {
        let began = clock.now
        var seen = Adapter(layout: layout, values: state.values)
        dropout?.mask(&seen.values, layout: layout, step: step)
        var result = try model.gradient(prompts: batch.map(\.tokens), adapter: seen) { index, logits in
            let probability = Metrics.probability(margin: Double(logits.margin))
            let slope = Float((probability - (batch[index].label ? 1 : 0)) / Double(batch.count))
            return AnswerLogits(yes: slope, no: -slope)
        }
        dropout?.mask(&result.gradient, layout: layout, step: step)
        state.optimiser.step(&state.values, gradient: result.gradient, learningRate: rate)
        if let degree = specification.averaging.degree { state.average?.add(state.values, degree: degree) }
        computing += clock.now - began
        let sum = zip(result.logits, batch).reduce(0) {
            $0 + AdapterTraining.loss(margin: $1.0.margin, label: $1.1.label)
        }
        guard sum.isFinite else { throw UnlearningError.notFinite(what: "the loss of step \(step)") }
        return sum
    }
}

extension TrainingState {
    /// Whether a training of this shape can go on from it.
    func isUsable(_ layout: AdapterLayout, _ specification: TrainingSpecification) -> Bool {
        values.count == layout.count && optimiser.first.count == layout.count
            && optimiser.weightDecay == Float(specification.weightDecay) && lossSums.count == specification.epochs
            && (specification.averaging != .none
                ? average?.mean.count == layout.count && average?.moments == optimiser.steps : average == nil)
    }

    var isFinite: Bool { values.allSatisfy(\.isFinite) && adapter.allSatisfy(\.isFinite) }

    func checkFinite(what: String) throws {
        guard isFinite else { throw UnlearningError.notFinite(what: what) }
    }
}
