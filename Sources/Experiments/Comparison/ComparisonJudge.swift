import LanguageModels
import Recommendation
import Unlearning

/// Measures what methods made of one request.
struct ComparisonJudge {
    private let comparison: ComparisonCase
    private let batch: ForgetBatch
    private let step: ComparisonStep
    private let work: ComparedModels
    private let retrained: ComparedAdapter
    private let forgetSet: [CasePrompt]
    private let apart: ForgottenParts
    /// Retrain's margins on the forget set.
    private let reference: [Float]
    /// Of every method judged so far, prompt by prompt.
    private var distances: [(method: ComparisonMethod, values: [Double])] = []

    init(
        comparison: ComparisonCase, batch: ForgetBatch, step: ComparisonStep, retrained: ComparedAdapter,
        work: ComparedModels
    ) throws {
        self.comparison = comparison
        self.batch = batch
        self.step = step
        self.work = work
        self.retrained = retrained
        forgetSet = step.forgetSet
        let direct = Set(step.direct.map(\.id))
        apart = ForgottenParts(isDeleted: step.forgetSet.map { direct.contains($0.id) })
        reference = try work.margins(forgetSet, of: .adapter(retrained))
    }

    /// The row of a method; one that fails has a row that says so.
    ///
    /// - Throws: `UnlearningError.cancelled` only.
    mutating func row(_ method: ComparisonMethod, _ outcome: () throws -> ComparedOutcome) throws -> ComparisonRow {
        var row = ComparisonRow(
            seed: comparison.seed, kind: batch.kind, batch: batch.index, method: method,
            forgotten: step.direct.count, rebuilt: step.rebuilt.count, retained: step.after.training.count)
        do {
            let outcome = try outcome()
            let forgotten = try work.margins(forgetSet, of: outcome.model)
            let test = try work.margins(step.after.test, of: outcome.model)
            let divergence = DivergenceSummary(margins: forgotten, reference: reference)
            guard forgotten.isEmpty || divergence.isComplete, test.allSatisfy(\.isFinite) else {
                throw UnlearningError.notFinite(what: "an answer")
            }
            distances.append(
                (method, zip(forgotten, reference).map { AnswerDivergence.jensenShannon(Double($0), Double($1)) }))
            row.completeness = ComparisonRow.Completeness(
                divergence: divergence, membership: membership(forgotten, test),
                deleted: apart.divergence(of: .deleted, forgotten, reference),
                rebuilt: apart.divergence(of: .rebuilt, forgotten, reference))
            row.utility = utility(test)
            row.effort = ComparisonRow.Effort(
                training: outcome.training, preparation: outcome.preparation, request: outcome.request,
                parameters: outcome.parameters,
                speedup: outcome.request.seconds > 0 ? retrained.cost.seconds / outcome.request.seconds : nil)
            row.refused = outcome.refused
        } catch UnlearningError.cancelled {
            throw UnlearningError.cancelled
        } catch {
            (row.completeness, row.utility, row.effort) = (nil, nil, nil)
            row.failure = "\(error)"
        }
        return row
    }

    /// Of the methods judged so far.
    var paired: PairedDistances {
        PairedDistances(seed: comparison.seed, kind: batch.kind, batch: batch.index, distances: distances)
    }

    /// The same of the parts of the forget set that have prompts.
    var pairedParts: [PairedDistances] {
        ForgetPart.allCases.compactMap { part in
            guard !apart.values(of: part, forgetSet).isEmpty else { return nil }
            return PairedDistances(
                seed: comparison.seed, kind: batch.kind, batch: batch.index,
                distances: distances.map { (method: $0.method, values: apart.values(of: part, $0.values)) }, part: part)
        }
    }

    /// Deleted prompts against test prompts; a rebuilt prompt's target is still a member.
    private func membership(_ forgotten: [Float], _ test: [Float]) -> MembershipInference {
        MembershipInference(
            forgottenMargins: apart.values(of: .deleted, forgotten),
            forgottenLabels: apart.values(of: .deleted, forgetSet).map(\.sample.label), heldOutMargins: test,
            heldOutLabels: step.after.test.map(\.sample.label))
    }

    private func utility(_ margins: [Float]) -> ComparisonRow.Utility {
        func metrics(_ includes: (CasePrompt) -> Bool) -> Metrics {
            let chosen = zip(step.after.test, margins).filter { includes($0.0) }
            return Metrics(margins: chosen.map(\.1), labels: chosen.map(\.0.sample.label))
        }
        func person(_ prompt: CasePrompt) -> ComparisonPerson { comparison.people[prompt.user] }
        return ComparisonRow.Utility(
            all: metrics { _ in true }, spillover: metrics { step.spilled.contains($0.id) },
            core: metrics { person($0).activity == .core }, random: metrics { person($0).isInRandomThird },
            edge: metrics { person($0).activity == .edge })
    }
}
