import LanguageModels
import Recommendation
import Unlearning

/// Trainings in slices for one case: those before any request leave their stages, and one after a request goes on at the last
/// stage that what was forgotten is not in. What it takes is what it trains from there on.
final class SlicedTrainings {
    /// Machines do not differ within a case.
    private static let arithmetic = ""

    private let work: ComparedModels
    private let specification: TrainingSpecification
    private let dealsUsers: Bool
    private var trained: [String: ComparedAdapter] = [:]
    /// Of the trainings before any request, by name.
    private var stages: [String: TrainingStage] = [:]

    init(work: ComparedModels) {
        self.work = work
        specification = work.settings.slicedSpecification
        dealsUsers = specification.dealing(of: work.settings.partition) != nil
    }

    /// Begins at the initial adapter and leaves its stages.
    func first(_ prompts: [CasePrompt]) throws -> ComparedAdapter { try train(prompts, keepsStages: true) }

    /// Begins at a stage of `first`, if there is one of the same data.
    func again(_ prompts: [CasePrompt]) throws -> ComparedAdapter { try train(prompts, keepsStages: false) }

    private func train(_ prompts: [CasePrompt], keepsStages: Bool) throws -> ComparedAdapter {
        let key = "\(keepsStages) \(ComparisonState.name(prompts))"
        if let known = trained[key] { return known }
        let samples = prompts.map(dealt)
        let first = keepsStages ? nil : try lastStage(of: samples)
        let result = try AdapterTraining.train(
            model: work.model, tokenizer: work.tokenizer, samples: samples, specification: specification,
            stages: StageKeeping(arithmetic: Self.arithmetic, first: first) { [self] stage in
                if keepsStages { stages[stage.name] = stage }
            },
            progress: { _ in work.tick() }, isCancelled: work.isCancelled)
        let report = result.report
        // The report counts those in the stage, too.
        let steps = report.steps - (first?.steps ?? 0)
        let made = ComparedAdapter(
            adapter: result.adapter, name: report.adapter,
            cost: PhaseCost(
                seconds: report.seconds, trainedTokens: report.slices?.tokens ?? report.tokens, steps: steps))
        trained[key] = made
        return made
    }

    private func lastStage(of samples: [TrainingPrompt]) throws -> TrainingStage? {
        let names = try StageNames(
            specification: specification, arithmetic: Self.arithmetic, prompts: samples, digests: samples.map(\.digest))
        return stride(from: names.last, to: 0, by: -1).lazy.compactMap { [stages] in names[$0].flatMap { stages[$0] } }
            .first
    }

    /// A cluster in one slice says nothing of its users' slices: they are dealt here, by another hash than its own.
    private func dealt(_ prompt: CasePrompt) -> TrainingPrompt {
        var sample = prompt.sample
        if dealsUsers, sample.slice == nil {
            sample.slice = SliceDealing(specification).slice(ofUser: String(prompt.user))
        }
        return sample
    }
}
