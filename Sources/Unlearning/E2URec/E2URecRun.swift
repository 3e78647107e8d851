import Compute
import Foundation
import LanguageModels
import Recommendation

/// One run of E2URec over checked input.
struct E2URecRun {
    let model: any AnswerModel
    let original: Adapter
    let forget: [TokenizedPrompt]
    let retained: [TokenizedPrompt]
    let configuration: E2URecConfiguration
    let progress: (E2URecProgress) -> Void
    let isCancelled: () -> Bool
    private let clock = ContinuousClock()
    private var step = 0

    init(
        model: any AnswerModel, original: Adapter, forget: [TokenizedPrompt], retained: [TokenizedPrompt],
        configuration: E2URecConfiguration, progress: @escaping (E2URecProgress) -> Void,
        isCancelled: @escaping () -> Bool
    ) {
        self.model = model
        self.original = original
        self.forget = forget
        self.retained = retained
        self.configuration = configuration
        self.progress = progress
        self.isCancelled = isCancelled
    }

    private var forgetBatches: Int { (forget.count + configuration.batch - 1) / configuration.batch }
    private var steps: Int {
        let augmenting = configuration.alpha == nil ? 0 : configuration.augmentedEpochs
        return forgetBatches * (augmenting + configuration.forgetEpochs + configuration.pairEpochs)
    }

    mutating func result() throws -> (Adapter, E2URecReport) {
        let (forget, retained, configuration) = (forget, retained, configuration)
        var report = E2URecReport(
            forgotten: forget.count, retained: retained.count, parameters: original.layout.count,
            augmenting: PhaseCost(), teaching: PhaseCost(), forgetting: PhaseCost(), pairing: PhaseCost(),
            forgetLosses: [], pairLosses: [])
        let augmented = configuration.alpha == nil ? nil : try augment(&report.augmenting)
        let plan = pairs()
        // Only those retained prompts are asked about that the student will see.
        let needed = Set(plan.joined().flatMap(\.retained)).sorted()
        let began = clock.now
        let forgetMargins = try margins(forget, adapter: original, what: "the original's answers")
        let augmentedMargins = try augmented.map {
            try margins(forget, adapter: $0, what: "the augmented model's answers")
        }
        let neededMargins = try margins(needed.map { retained[$0] }, adapter: original, what: "the original's answers")
        report.teaching.scoredTokens =
            (augmented == nil ? 1 : 2) * forget.tokenCount + needed.map { retained[$0] }.tokenCount
        report.teaching.seconds = (clock.now - began) / .seconds(1)
        let labels = forget.map(\.label)
        let goal: E2URecTeacher
        if let augmentedMargins, let alpha = configuration.alpha {
            goal = E2URecTeacher(original: forgetMargins, augmented: augmentedMargins, labels: labels, alpha: alpha)
        } else {
            goal = E2URecTeacher(original: forgetMargins, labels: labels, retained: retained.map(\.label))
        }
        let teacher = goal.margins
        report.teacherLoss = goal.loss
        var remembered = [Double](repeating: 0, count: retained.count)
        for (index, margin) in zip(needed, neededMargins) { remembered[index] = margin }

        var student = original
        var optimiser = AdamW(count: student.values.count, weightDecay: Float(configuration.weightDecay))
        // As the student answered each of them last.
        var answers = forgetMargins
        for epoch in 0..<configuration.forgetEpochs {
            if epoch > 0, goal.isReached(by: answers, labels: labels) { break }
            var losses = 0.0
            for batch in batches(of: forget, count: forgetBatches, epoch: epoch, use: "forget") {
                losses += try learn(
                    &student, &optimiser, rate: configuration.learningRate, phase: .forgetting,
                    prompts: batch.map { forget[$0] }, cost: &report.forgetting
                ) { index, margin in
                    answers[batch[index]] = margin
                    let value = E2URecLosses.forget(student: margin, teacher: teacher[batch[index]])
                    return value.scaled(1 / Double(batch.count))
                }
            }
            report.forgetLosses.append(losses / Double(forgetBatches))
        }
        for epoch in plan {
            var losses = 0.0
            for pair in epoch {
                let (forgetting, remembering) = (pair.forget, pair.retained)
                losses += try learn(
                    &student, &optimiser, rate: configuration.learningRate, phase: .pairing,
                    prompts: forgetting.map { forget[$0] } + remembering.map { retained[$0] }, cost: &report.pairing
                ) { index, margin in
                    if index < forgetting.count {
                        let value = E2URecLosses.forget(student: margin, teacher: teacher[forgetting[index]])
                        return value.scaled(configuration.beta / Double(forgetting.count))
                    }
                    let sample = remembering[index - forgetting.count]
                    let value = E2URecLosses.remember(
                        student: margin, original: remembered[sample], label: retained[sample].label)
                    return value.scaled((1 - configuration.beta) / Double(remembering.count))
                }
            }
            report.pairLosses.append(losses / Double(epoch.count))
        }
        return (student, report)
    }

    /// The original trained further on the forget set with the loss of the first training.
    private mutating func augment(_ cost: inout PhaseCost) throws -> Adapter {
        let (forget, configuration) = (forget, configuration)
        var adapter = original
        var optimiser = AdamW(count: adapter.values.count, weightDecay: Float(configuration.weightDecay))
        for epoch in 0..<configuration.augmentedEpochs {
            for batch in batches(of: forget, count: forgetBatches, epoch: epoch, use: "augment") {
                _ = try learn(
                    &adapter, &optimiser, rate: configuration.augmentedLearningRate, phase: .augmenting,
                    prompts: batch.map { forget[$0] }, cost: &cost
                ) { index, margin in
                    let label = forget[batch[index]].label
                    let value = E2URecLosses.Value(
                        loss: -AnswerDivergence.logProbability(margin: label ? margin : -margin),
                        slope: Metrics.probability(margin: margin) - (label ? 1 : 0))
                    return value.scaled(1 / Double(batch.count))
                }
            }
        }
        return adapter
    }

    /// One optimiser step on `Σ loss`; returns that sum.
    private mutating func learn(
        _ adapter: inout Adapter, _ optimiser: inout AdamW, rate: Double, phase: E2URecProgress.Phase,
        prompts: [TokenizedPrompt], cost: inout PhaseCost, loss: (Int, Double) -> E2URecLosses.Value
    ) throws -> Double {
        if isCancelled() { throw UnlearningError.cancelled }
        let began = clock.now
        step += 1
        var sum = 0.0
        let result = try model.gradient(prompts: prompts.map(\.tokens), adapter: adapter) { index, logits in
            let value = loss(index, Double(logits.margin))
            sum += value.loss
            return AnswerLogits(yes: Float(value.slope), no: -Float(value.slope))
        }
        guard sum.isFinite else { throw UnlearningError.notFinite(what: "the loss of step \(step)") }
        optimiser.step(&adapter.values, gradient: result.gradient, learningRate: Float(rate))
        // A gradient that is not a number shows in the very next step's loss, but the last step has none.
        guard adapter.values.allSatisfy(\.isFinite) else {
            throw UnlearningError.notFinite(what: "the adapter after step \(step)")
        }
        cost.seconds += (clock.now - began) / .seconds(1)
        cost.trainedTokens += prompts.tokenCount
        cost.steps += 1
        progress(E2URecProgress(phase: phase, step: step, steps: steps, loss: sum))
        return sum
    }

    private func margins(_ prompts: [TokenizedPrompt], adapter: Adapter, what: String) throws -> [Double] {
        guard !prompts.isEmpty else { return [] }
        let logits = try model.answerLogits(
            prompts: prompts.map(\.tokens), adapters: AdapterMixture([adapter]), weights: nil)
        let margins = logits.map { Double($0.margin) }
        guard margins.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: what) }
        return margins
    }

    /// The first `count` batches of an epoch, as positions, in the order of a keyed hash.
    private func batches(of prompts: [TokenizedPrompt], count: Int, epoch: Int, use: String) -> [[Int]] {
        let keys = prompts.map {
            FieldHash.number(["e2urec", use, String(configuration.seed), String(epoch), $0.id])
        }
        let order = prompts.indices.sorted { (keys[$0], prompts[$0].id) < (keys[$1], prompts[$1].id) }
        return stride(from: 0, to: order.count, by: configuration.batch).prefix(count).map {
            Array(order[$0..<min($0 + configuration.batch, order.count)])
        }
    }

    /// The paired batches of every epoch: as many as the forget set has, which is never the larger one.
    private func pairs() -> [[(forget: [Int], retained: [Int])]] {
        (0..<configuration.pairEpochs).map { epoch in
            Array(
                zip(
                    batches(of: forget, count: forgetBatches, epoch: epoch, use: "pair"),
                    batches(of: retained, count: forgetBatches, epoch: epoch, use: "retain"))
            ).map { (forget: $0.0, retained: $0.1) }
        }
    }
}

extension E2URecLosses.Value {
    fileprivate func scaled(_ factor: Double) -> E2URecLosses.Value {
        E2URecLosses.Value(loss: factor * loss, slope: factor * slope)
    }
}
