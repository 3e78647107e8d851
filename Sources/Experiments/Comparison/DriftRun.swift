import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// Many small requests one after another: how far approximate methods drift from a training from the beginning on what is
/// left (ERASE, arXiv 2603.08341), and that exact ones do not.
struct DriftRun {
    /// Those of a comparison's methods that are followed.
    static let methods: [ComparisonMethod] = [.original, .e2urec, .ifru, .apaD, .apaND]

    private let comparison: ComparisonCase
    private let work: ComparedModels
    private var methods: ComparedMethods
    private var state: ComparisonState
    /// The state at the checkpoint before.
    private var checked: ComparisonState
    private var tracks: [Track]

    /// Where one method stands.
    private struct Track {
        var method: ComparisonMethod
        var adapter: Adapter
        var provenance = AdapterProvenance.trained
        var preparation: InfluencePreparation?
        var request = PhaseCost()
        var preparing = PhaseCost()
        var failure: String?
        /// Why a cluster would not have published the first correction that it would not have.
        var refused: String?

        mutating func take(_ result: ApproximateAdapter, cost: PhaseCost) {
            adapter = result.adapter
            provenance = .approximate(result.provenance)
            request = request + cost
        }
    }

    init(comparison: ComparisonCase, before: ComparisonState, methods: ComparedMethods, work: ComparedModels) {
        self.comparison = comparison
        self.work = work
        self.methods = methods
        state = before
        checked = before
        tracks = Self.methods.filter(comparison.methods.contains).map {
            Track(method: $0, adapter: methods.original.adapter)
        }
    }

    /// Numbers of requests after which everything is measured: four at most, the last included.
    static func checkpoints(of requests: Int) -> [Int] {
        let every = max(1, (requests + 3) / 4)
        return Array(stride(from: every, to: requests, by: every)) + [requests]
    }

    mutating func points(done: () -> Void) throws -> [DriftPoint] {
        let checkpoints = Set(Self.checkpoints(of: comparison.sequence.count))
        var points: [DriftPoint] = []
        var forgotten: [CasePrompt] = []
        for (position, batch) in comparison.sequence.enumerated() {
            let step = try state.applying(batch, read: work.read)
            for index in tracks.indices where tracks[index].failure == nil {
                try attempt(index) { try $0.forget(step, index) }
            }
            forgotten += step.forgetSet
            state = step.after
            guard checkpoints.contains(position + 1) else { continue }
            points += try measure(after: position + 1, forgotten: forgotten)
            checked = state
            done()
        }
        return points
    }

    /// A method that fails is not followed any further.
    private mutating func attempt(_ index: Int, _ body: (inout DriftRun) throws -> Void) throws {
        do {
            try body(&self)
        } catch UnlearningError.cancelled {
            throw UnlearningError.cancelled
        } catch {
            tracks[index].failure = "\(error)"
        }
    }

    private mutating func forget(_ step: ComparisonStep, _ index: Int) throws {
        let retained = step.after.training.map(\.sample)
        switch tracks[index].method {
        case .e2urec:
            let track = tracks[index]
            let result = try RefusedCorrection.naming {
                try E2URec.unlearn(
                    model: work.model, tokenizer: work.tokenizer, adapter: track.adapter,
                    provenance: track.provenance, forget: step.forgetSet.map(\.sample), retained: retained,
                    configuration: work.settings.e2urec, progress: { [work] _ in work.tick() },
                    isCancelled: work.isCancelled)
            }
            tracks[index].take(result.student, cost: result.report.total)
        case .ifru:
            let preparation = try preparation(of: index)
            let track = tracks[index]
            let result = try RefusedCorrection.naming {
                try IFRU.unlearn(
                    model: work.model, tokenizer: work.tokenizer, adapter: track.adapter,
                    provenance: track.provenance, preparation: preparation, request: step.request,
                    retained: retained, configuration: work.settings.ifru, isCancelled: work.isCancelled)
            }
            // It is followed all the same: what the method does shows, under its mark.
            if track.refused == nil {
                tracks[index].refused = RefusedCorrection(result, under: work.settings.ifru)?.description
            }
            tracks[index].preparation = nil
            if preparation.hasSuccessor {
                let next = try InfluenceSuccessor(
                    of: preparation, after: result, of: step.request, tokenizer: work.tokenizer,
                    limit: work.model.configuration.context
                ).preparation(model: work.model, adapter: result.corrected.adapter, isCancelled: work.isCancelled)
                tracks[index].preparation = next
                tracks[index].preparing = tracks[index].preparing + next.cost
            }
            tracks[index].take(result.corrected, cost: result.report.total)
        // The original stays; requests for shards come together at the checkpoints, as they do in a cluster.
        default: break
        }
    }

    /// What the correction before left, or one that is made anew after as many corrections as in a cluster.
    private mutating func preparation(of index: Int) throws -> InfluencePreparation {
        let track = tracks[index]
        if let kept = track.preparation { return kept }
        let made = try RefusedCorrection.naming {
            try track.provenance == .trained
                ? methods.preparation() : methods.prepare(track.adapter, of: state.training)
        }
        tracks[index].preparing = track.preparing + made.cost
        return made
    }

    /// As `ComparedMethods.preparedReferences`.
    var preparedReferences: Int? { methods.preparedReferences }

    private mutating func measure(after requests: Int, forgotten: [CasePrompt]) throws -> [DriftPoint] {
        let retrained = try work.train(state.training)
        let current = Set(state.training.map(\.digest))
        // Of what was rebuilt first and deleted later all versions are deleted.
        let left = Set(state.training.map(\.id))
        var seen: Set<String> = []
        let forgetSet = forgotten.filter { !current.contains($0.digest) && seen.insert($0.digest).inserted }
        let reference = try work.margins(forgetSet, of: .adapter(retrained))
        var points: [DriftPoint] = []
        for index in tracks.indices {
            var point = DriftPoint(seed: comparison.seed, method: tracks[index].method, requests: requests)
            if tracks[index].failure == nil {
                try attempt(index) { run in
                    let model = try run.model(of: index)
                    let answers = try run.work.margins(forgetSet, of: model)
                    let test = try run.work.margins(run.state.test, of: model)
                    let divergence = DivergenceSummary(margins: answers, reference: reference)
                    let apart = ForgottenParts(isDeleted: forgetSet.map { !left.contains($0.id) })
                    guard divergence.isComplete, test.allSatisfy(\.isFinite) else {
                        throw UnlearningError.notFinite(what: "an answer")
                    }
                    point.divergence = divergence
                    point.deleted = apart.divergence(of: .deleted, answers, reference)
                    point.rebuilt = apart.divergence(of: .rebuilt, answers, reference)
                    point.standardError = DistanceEstimate.standardErrorOfMean(
                        zip(answers, reference).map { AnswerDivergence.jensenShannon(Double($0), Double($1)) })
                    point.test = Metrics(margins: test, labels: run.state.test.map(\.sample.label))
                    point.request = run.tracks[index].request
                    point.preparation = run.tracks[index].preparing
                }
            }
            point.failure = tracks[index].failure
            point.refused = tracks[index].refused
            points.append(point)
        }
        return points
    }

    private mutating func model(of index: Int) throws -> ComparedModel {
        let track = tracks[index]
        guard track.method == .apaD || track.method == .apaND else {
            return .adapter(
                ComparedAdapter(adapter: track.adapter, name: track.adapter.contentName, cost: PhaseCost()))
        }
        var ensemble = try methods.apaEnsemble()
        let (all, new) = try ensemble.adapters(before: checked, after: state)
        let attention = try ComparedAttention(all, new: new, validation: state.validation, work: work)
        tracks[index].request = new.reduce(track.request + attention.cost) { $0 + $1.cost }
        return .mixture(all, track.method == .apaD ? .decomposed : .nonDecomposed, attention.attention)
    }
}
