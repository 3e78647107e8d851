import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Forgetting by IFRU")
struct IFRUTests {
    private static func unlearn(
        _ adapter: Adapter, _ preparation: InfluencePreparation, _ request: InfluenceRequest,
        retained: [TrainingPrompt] = [], configuration: IFRUConfiguration = IFRUConfiguration(),
        model: LetterModel = LetterModel(), isCancelled: () -> Bool = { false }
    ) throws -> IFRU.Result {
        try IFRU.unlearn(
            model: model, tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
            request: request, retained: retained, configuration: configuration, isCancelled: isCancelled)
    }

    /// Two interactions of every other user, in the middle of his history.
    private static func forgotten(_ shop: LetterShop) -> Set<InteractionKey> {
        Set(
            shop.interactions.filter { interaction in
                let user = Int(interaction.user.dropFirst()) ?? 0
                return user % 2 == 0 && (interaction.timestamp == 2 || interaction.timestamp == 4)
            }.map(\.key))
    }

    @Test("With spillover the result is closer to the retrained model than without, and both than the original")
    func spillover() throws {
        var sums = (original: 0.0, direct: 0.0, both: 0.0)
        for seed in UInt64(1)...4 {
            let shop = try LetterShop(seed: seed)
            let (before, gone) = (shop.training(), Self.forgotten(shop))
            let after = shop.training(without: gone)
            let request = shop.request(forgetting: gone)
            #expect(request.direct.count >= 6 && request.rebuilt.count >= 12)
            let original = try LetterShop.train(before)
            let retrained = try LetterShop.train(after)
            let preparation = try LetterShop.prepare(before, original)
            // What the request touches: forgotten prompts, and rebuilt ones before and after.
            let touched = request.direct + request.rebuilt.flatMap { [$0.old, $0.new] }
            let reference = try LetterShop.margins(touched, retrained)
            func distance(_ adapter: Adapter) throws -> Double {
                try #require(
                    DivergenceSummary(margins: try LetterShop.margins(touched, adapter), reference: reference)
                        .marginDifference)
            }
            var configuration = IFRUConfiguration(damping: .relative([0.01]), probes: 0)
            let both = try Self.unlearn(original, preparation, request, configuration: configuration)
            configuration.spillover = false
            let direct = try Self.unlearn(original, preparation, request, configuration: configuration)
            sums.original += try distance(original)
            sums.direct += try distance(direct.corrected.adapter)
            sums.both += try distance(both.corrected.adapter)
        }
        #expect(sums.both < 0.8 * sums.direct && sums.both < 0.5 * sums.original)
    }

    @Test("A request costs a backward pass for each rebuilt prompt, not one for each prompt of every epoch")
    func work() throws {
        let shop = try LetterShop()
        let gone = Self.forgotten(shop)
        let request = shop.request(forgetting: gone)
        let training = LetterModel()
        let original = try LetterShop.train(shop.training(), model: training)
        let preparation = try LetterShop.prepare(shop.training(), original)
        let model = LetterModel()
        let report = try Self.unlearn(
            original, preparation, request, configuration: IFRUConfiguration(damping: .relative([0.1]), probes: 0),
            model: model
        ).report
        #expect(model.asked.map(\.count) == [request.rebuilt.count])
        #expect(report.backwardPrompts == request.rebuilt.count && report.direct == request.direct.count)
        #expect(report.total.trainedTokens == model.asked.joined().reduce(0) { $0 + $1.count })
        let trained = training.asked.joined().reduce(0) { $0 + $1.count }
        #expect(report.total.trainedTokens * 250 < trained)
        #expect(report.total.steps == 1)
        // A whole user's prompts are in the rows already.
        let user = shop.request(forgetting: Set(shop.interactions.filter { $0.user == "u3" }.map(\.key)))
        #expect(user.rebuilt.isEmpty && user.direct.count == 4)
        let free = LetterModel()
        _ = try Self.unlearn(
            original, preparation, user, configuration: IFRUConfiguration(damping: .relative([0.1]), probes: 0),
            model: free)
        #expect(free.asked.isEmpty)
    }

    @Test("Prompts without a row cost a backward pass and give the same gradient")
    func withoutRows() throws {
        let shop = try LetterShop()
        let request = shop.request(forgetting: Self.forgotten(shop))
        let original = try LetterShop.train(shop.training())
        let all = try LetterShop.prepare(shop.training(), original)
        let some = try LetterShop.prepare(shop.training(), original, references: 20)
        #expect(some.referenceCount == 20 && some.entries.count == all.entries.count)
        func gradient(_ preparation: InfluencePreparation) throws -> [Float] {
            let gradient = try IFRU.gradient(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: original, preparation: preparation,
                request: request)
            return preparation.rows.combination(gradient.coefficients, adding: gradient.rest)
        }
        #expect(try zip(gradient(all), gradient(some)).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test("λ and step obey the cap and the comparison with actual margins")
    func choice() throws {
        let shop = try LetterShop()
        let (training, request) = (shop.training(), shop.request(forgetting: Self.forgotten(shop)))
        let original = try LetterShop.train(training)
        let preparation = try LetterShop.prepare(training, original)
        let multiples = [1e-4, 1e-3, 0.01, 0.1, 1, 10, 1000]
        let chosen = try Self.unlearn(
            original, preparation, request, retained: training,
            configuration: IFRUConfiguration(damping: .relative(multiples.reversed()), tolerance: 0.2)
        ).report
        #expect(try #require(chosen.disagreement) <= 0.2 && chosen.isWithinTolerance)
        #expect(chosen.predictedDivergence <= 0.1)
        #expect(multiples.contains { abs($0 * preparation.meanCurvature - chosen.damping) < 1e-9 * chosen.damping })
        // A tight cap shortens the step of the only λ.
        let tight = try Self.unlearn(
            original, preparation, request,
            configuration: IFRUConfiguration(damping: .relative([0.01]), divergenceCap: 1e-5, probes: 0)
        ).report
        #expect(tight.step > 0 && tight.step < 1)
        #expect(tight.predictedDivergence <= 1e-5 && tight.predictedDivergence > 0.9e-5)
        // An impossible tolerance is reported, and the best trial taken.
        let impossible = try Self.unlearn(
            original, preparation, request, retained: training, configuration: IFRUConfiguration(tolerance: 1e-9)
        ).report
        #expect(!impossible.isWithinTolerance && impossible.disagreement != nil)
    }

    private func calibrated(
        _ preparation: InfluencePreparation, _ adapter: Adapter, _ training: [TrainingPrompt],
        _ configuration: IFRUConfiguration = IFRUConfiguration()
    ) throws -> InfluencePreparation {
        try preparation.calibrated(
            model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, prompts: training,
            by: InfluenceTrial(specification: LetterShop.specification, configuration: configuration))
    }

    @Test("A calibrated preparation makes requests without trials and probes")
    func calibration() throws {
        let shop = try LetterShop()
        let (training, request) = (shop.training(), shop.request(forgetting: Self.forgotten(shop)))
        let original = try LetterShop.train(training)
        let plain = try LetterShop.prepare(training, original)
        let preparation = try calibrated(plain, original, training)
        let known = try #require(preparation.calibration)
        #expect(known.damping > 0 && plain.calibration == nil)
        // The trial's training counts: what is left of the data, in every epoch.
        #expect(preparation.cost.trainedTokens > 100 * plain.cost.trainedTokens && preparation.cost.scoredTokens > 0)
        let report = try Self.unlearn(original, preparation, request, retained: training).report
        #expect(report.damping == known.damping && report.solving.steps == 1 && report.calibration == known)
        #expect(report.disagreement == nil && report.solving.scoredTokens == 0)
        // The trial counts for as much as it showed: a tighter tolerance is probed.
        let tighter = try Self.unlearn(
            original, preparation, request, retained: training,
            configuration: IFRUConfiguration(tolerance: known.disagreement / 2)
        ).report
        #expect(tighter.damping == known.damping && tighter.disagreement != nil && tighter.solving.scoredTokens > 0)
        // Without calibration the same request is tried out; and a calibration that failed leaves λ open.
        let tried = try Self.unlearn(original, plain, request, retained: training).report
        #expect(tried.disagreement != nil && tried.solving.scoredTokens > 0 && tried.calibration == nil)
        let failed = try calibrated(plain, original, training, IFRUConfiguration(divergenceCap: 1e-12, tolerance: 1e-9))
        #expect(failed.calibration == nil)
    }

    @Test("Calibration takes the λ that comes nearest to a training without the trial's prompts")
    func nearestDamping() throws {
        let training = try LetterShop().training()
        let original = try LetterShop.train(training)
        let plain = try LetterShop.prepare(training, original)
        let known = try #require(try calibrated(plain, original, training).calibration)
        #expect(known.prompts == 8 && known.distanceAfter < known.distanceBefore)
        // Far more damping undoes the correction, and predicts to stay where the adapter is.
        let idle = try calibrated(plain, original, training, IFRUConfiguration(damping: .relative([1e9])))
        let stayed = try #require(idle.calibration)
        #expect(stayed.distanceBefore == known.distanceBefore && stayed.distanceAfter > known.distanceAfter)
        #expect(abs(stayed.distanceAfter - stayed.distanceBefore) < 1e-6 * stayed.distanceBefore)
        let few = Array(training.prefix(3))
        let small = try LetterShop.train(few)
        #expect(throws: UnlearningError.noSamples) { try calibrated(LetterShop.prepare(few, small), small, few) }
    }

    @Test("Pruning leaves out the least important rebuilt prompts, never direct ones")
    func pruning() throws {
        let shop = try LetterShop()
        let request = shop.request(forgetting: Self.forgotten(shop))
        let original = try LetterShop.train(shop.training())
        let preparation = try LetterShop.prepare(shop.training(), original)
        #expect(Set(request.rebuilt.map(\.forgottenShare)).count > 1)
        func asked(_ pruning: Double, _ importance: IFRUConfiguration.Importance) throws -> (Set<[Int32]>, IFRUReport) {
            let model = LetterModel()
            let report = try Self.unlearn(
                original, preparation, request,
                configuration: IFRUConfiguration(
                    damping: .relative([0.1]), probes: 0, pruning: pruning, importance: importance),
                model: model
            ).report
            return (Set(model.asked.last ?? []), report)
        }
        for importance in IFRUConfiguration.Importance.allCases {
            let (kept, report) = try asked(0.4, importance)
            #expect(report.pruned == Int(0.4 * Double(request.rebuilt.count)))
            #expect(report.backwardPrompts == request.rebuilt.count - report.pruned)
            var shares: (kept: Double, dropped: Double) = (.infinity, 0)
            for change in request.rebuilt {
                let margins = try LetterShop.margins([change.old, change.new], original)
                let score = importance == .history ? change.forgottenShare : Double(abs(margins[0] - margins[1]))
                if kept.contains(LetterShop.tokenizer.encode(change.new.text)) {
                    shares.kept = min(shares.kept, score)
                } else {
                    shares.dropped = max(shares.dropped, score)
                }
            }
            #expect(shares.kept >= shares.dropped)
        }
        // With everything pruned only the direct prompts are left.
        let model = LetterModel()
        let configuration = IFRUConfiguration(damping: .relative([0.1]), probes: 0, pruning: 1)
        let pruned = try Self.unlearn(original, preparation, request, configuration: configuration, model: model)
        var direct = configuration
        direct.spillover = false
        #expect(model.asked.isEmpty)
        #expect(
            try pruned.corrected.adapter
                == Self.unlearn(original, preparation, request, configuration: direct).corrected.adapter)
    }

    @Test("The order in a request does not matter, and the result says that it is approximate")
    func purity() throws {
        let shop = try LetterShop()
        var request = shop.request(forgetting: Self.forgotten(shop))
        let original = try LetterShop.train(shop.training())
        let preparation = try LetterShop.prepare(shop.training(), original)
        let first = try Self.unlearn(original, preparation, request, retained: shop.training())
        request.direct.reverse()
        request.rebuilt.reverse()
        let other = try LetterShop.prepare(shop.training().reversed(), original)
        let again = try Self.unlearn(original, other, request, retained: shop.training().reversed())
        #expect(again.corrected == first.corrected)
        #expect(first.corrected.provenance.method == .ifru)
        #expect(first.corrected.provenance.original == original.contentName)
        #expect(first.corrected.provenance.result == first.corrected.adapter.contentName)
        #expect(first.corrected.provenance.corrections == 1)
    }

    @Test("Bad requests are refused by name")
    func refused() throws {
        let shop = try LetterShop()
        let training = shop.training()
        let original = try LetterShop.train(training)
        let preparation = try LetterShop.prepare(training, original)
        func refuse(_ error: ApproximateError, _ request: InfluenceRequest) {
            #expect(throws: error) { try Self.unlearn(original, preparation, request) }
        }
        refuse(.emptyForgetSet, InfluenceRequest(direct: []))
        refuse(.emptyRetainedSet, InfluenceRequest(direct: training))
        refuse(
            .forgetSetLargerThanRetained(forget: training.count - 1, retained: 1),
            InfluenceRequest(direct: Array(training.dropLast())))
        var changed = training[0]
        changed.input += "!"
        refuse(.unknownPrompt(id: changed.id), InfluenceRequest(direct: [changed]))
        refuse(
            .unknownPrompt(id: training[1].id),
            InfluenceRequest(direct: [], rebuilt: [.init(old: training[0], new: training[1])]))
        let touched = try LetterShop.prepare(training, original, references: 1)
        let reference = try #require(touched.entries.first { $0.row == 0 })
        #expect(throws: ApproximateError.noReferenceRows) {
            try Self.unlearn(
                original, touched, InfluenceRequest(direct: training.filter { $0.id == reference.id }))
        }
        #expect(throws: UnlearningError.duplicateSample(id: training[0].id)) {
            try Self.unlearn(original, preparation, InfluenceRequest(direct: [training[0], training[0]]))
        }
        var other = original
        other.values[0] += 1
        #expect(
            throws: ApproximateError.preparationOfAnotherAdapter(
                expected: original.contentName, found: other.contentName)
        ) { try Self.unlearn(other, preparation, InfluenceRequest(direct: [training[0]])) }
        #expect(throws: UnlearningError.cancelled) {
            try Self.unlearn(
                original, preparation, InfluenceRequest(direct: [training[0]]), isCancelled: { true })
        }
        #expect(throws: ApproximateError.preparationTooLarge(bytes: training.count * 32 * 4, limit: 1000)) {
            try InfluencePreparation(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: original, prompts: training,
                memoryLimit: 1000)
        }
    }

    @Test("What is not made of numbers is never returned")
    func notFinite() throws {
        let shop = try LetterShop()
        let (training, request) = (shop.training(), shop.request(forgetting: Self.forgotten(shop)))
        let original = try LetterShop.train(training)
        let preparation = try LetterShop.prepare(training, original)
        for margins in [true, false] {
            let model = LetterModel()
            if margins { model.brokenMarginsAfter = 0 } else { model.brokenGradientsAfter = 0 }
            #expect(throws: UnlearningError.notFinite(what: "the gradient of rebuilt prompts")) {
                try Self.unlearn(original, preparation, request, model: model)
            }
            #expect(
                performing: {
                    try InfluencePreparation(
                        model: model, tokenizer: LetterShop.tokenizer, adapter: original, prompts: training)
                },
                throws: {
                    guard case .notFinite = $0 as? UnlearningError else { return false }
                    return true
                })
        }
    }

    @Test(
        "An impossible configuration is refused",
        arguments: [
            IFRUConfiguration(divergenceCap: 0), IFRUConfiguration(divergenceCap: .nan), IFRUConfiguration(probes: -1),
            IFRUConfiguration(tolerance: 0), IFRUConfiguration(pruning: 1.5), IFRUConfiguration(pruning: .nan),
        ])
    func configurations(configuration: IFRUConfiguration) {
        #expect(
            performing: { try configuration.check() },
            throws: {
                guard case .invalidSpecification = $0 as? UnlearningError else { return false }
                return true
            })
        #expect(throws: ApproximateError.dampingNotPositive) { try IFRUConfiguration(damping: .relative([])).check() }
        #expect(throws: ApproximateError.dampingNotPositive) {
            try IFRUConfiguration(damping: .relative([1, 0])).check()
        }
    }
}
