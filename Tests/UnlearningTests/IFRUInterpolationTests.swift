import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Forgotten margins taken back to where the training began")
struct IFRUInterpolationTests {
    private static let prompts = riddles(40, seed: 4)

    /// A preparation that is told to interpolate with this factor, whatever the request.
    private static func prepared(
        _ adapter: Adapter, factor: Double, references: Int? = nil
    ) throws -> InfluencePreparation {
        try InfluenceSupport.prepared(
            adapter, prompts,
            calibration: #""solution":"interpolation","damping":1,"overshoots":[{"share":0.1,"factor":\#(factor)}]"#,
            references: references)
    }

    private static func base(_ prompts: [TrainingPrompt]) throws -> [Float] {
        try LinearModel().answerLogits(
            prompts: prompts.map { ByteTokenizer().encode($0.text) }, adapters: nil, weights: nil
        ).map(\.margin)
    }

    private static func largest(_ one: some Sequence<Float>, _ other: some Sequence<Float>) -> Float {
        zip(one, other).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    @Test("What is deleted is answered as by the base model, what stays as before")
    func deleted() throws {
        let original = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let (forget, kept) = (Array(Self.prompts[..<5]), Array(Self.prompts[5...]))
        let (before, base) = (try LinearModel.margins(forget, original), try Self.base(forget))
        let way = Self.largest(before, base)
        #expect(way > 1)
        let result = try InfluenceSupport.unlearn(
            original, Self.prepared(original, factor: 1), InfluenceRequest(direct: forget))
        let adapter = result.corrected.adapter
        #expect(Self.largest(try LinearModel.margins(forget, adapter), base) < 0.06 * way)
        #expect(
            Self.largest(try LinearModel.margins(kept, adapter), try LinearModel.margins(kept, original)) < 0.06 * way)
        #expect(result.report.step == 1 && result.report.backwardPrompts == 0 && result.report.solving.steps == 1)
        // Twice as far, where margins are linear.
        let double = try InfluenceSupport.unlearn(
            original, Self.prepared(original, factor: 2), InfluenceRequest(direct: forget))
        let twice = zip(original.values, adapter.values).map { $0 + 2 * ($1 - $0) }
        #expect(Self.largest(double.corrected.adapter.values, twice) < 1e-4 * way)
    }

    @Test("Prompts without a row are taken back as well")
    func withoutRows() throws {
        let original = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let preparation = try Self.prepared(original, factor: 1, references: 25)
        let without = Self.prompts.filter { prompt in
            preparation.entries.contains { $0.id == prompt.id && $0.row == nil }
        }
        #expect(without.count == 15)
        let forget = Array(without.prefix(4))
        let result = try InfluenceSupport.unlearn(original, preparation, InfluenceRequest(direct: forget))
        let (before, base) = (try LinearModel.margins(forget, original), try Self.base(forget))
        let after = try LinearModel.margins(forget, result.corrected.adapter)
        #expect(Self.largest(after, base) < 0.06 * Self.largest(before, base))
        #expect(result.report.backwardPrompts == 4)
    }

    @Test("A rebuilt prompt is answered as its old version was, an added one as others of its label")
    func rebuilt() throws {
        let original = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        var changed = Array(Self.prompts[5..<8])
        for index in changed.indices { changed[index].input += "xyz" }
        let added = [TrainingPrompt(id: "new", instruction: "", input: "a new one", label: true)]
        let request = InfluenceRequest(
            direct: Array(Self.prompts[..<3]),
            rebuilt: zip(Self.prompts[5..<8], changed).map { InfluenceRequest.Rebuilt(old: $0, new: $1) }, added: added)
        for references in [nil, 5] {
            let preparation = try Self.prepared(original, factor: 1, references: references)
            let rows = Set(preparation.entries.filter { $0.row != nil }.map(\.id))
            let touched = Set(request.direct.map(\.id) + request.rebuilt.map(\.old.id))
            let result = try InfluenceSupport.unlearn(original, preparation, request)
            let adapter = result.corrected.adapter
            let old = try LinearModel.margins(Array(Self.prompts[5..<8]), original)
            let moved = Self.largest(try LinearModel.margins(changed, original), old)
            #expect(moved > 0.2)
            #expect(Self.largest(try LinearModel.margins(changed, adapter), old) < 0.2 * moved)
            let alike = Self.prompts.filter { $0.label && rows.contains($0.id) && !touched.contains($0.id) }
            #expect(!alike.isEmpty)
            let margins = try LinearModel.margins(alike, original)
            let mean = margins.reduce(0, +) / Float(alike.count)
            let (before, after) = (
                try LinearModel.margins(added, original)[0], try LinearModel.margins(added, adapter)[0]
            )
            #expect(abs(after - mean) < 0.2 * abs(before - mean))
        }
    }

    @Test("The factor follows the request's size, between what was tried")
    func sizes() throws {
        let calibration = try InfluenceSupport.calibration(
            """
            "solution":"interpolation","damping":1,"overshoots":[{"share":0.1,"factor":1},{"share":0.2,"factor":2},\
            {"share":0.2,"factor":2}]
            """)
        #expect([0, 0.1, 0.15, 0.2, 0.9].map { calibration.overshoot(share: $0) } == [1, 1, 1.5, 2, 2])
    }

    @Test("Whoever knows steps and refits only can read what is written of it")
    func written() throws {
        let preparation = try Self.prepared(LinearModel.optimum(Self.prompts, ridge: 0.05), factor: 1)
        let known = try #require(preparation.calibration)
        let bytes = try JSONEncoder().encode(known)
        #expect(known.solution == .interpolation && !String(decoding: bytes, as: UTF8.self).contains("solution"))
        #expect(try JSONDecoder().decode(InfluenceCalibration.self, from: bytes) == known)
    }

    @Test("A preparation that was kept gives the same correction, and its successor goes on")
    func kept() throws {
        let original = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let preparation = try Self.prepared(original, factor: 1)
        #expect(preparation.factor.count == 1600 && preparation.coefficients.isEmpty)
        let bytes = try InfluenceSupport.written(preparation)
        let read = try InfluenceSupport.read(bytes)
        #expect(read == preparation)
        let first = InfluenceRequest(direct: Array(Self.prompts[..<3]))
        let half = try InfluenceSupport.unlearn(original, read, first)
        #expect(
            half.corrected.adapter == (try InfluenceSupport.unlearn(original, preparation, first)).corrected.adapter)
        let successor = try InfluenceSuccessor(
            of: read, after: half, of: first, tokenizer: ByteTokenizer(), limit: 1000)
        let next = try successor.preparation(model: LinearModel(), adapter: half.corrected.adapter)
        #expect(next.factor.count == 37 * 37 && next.calibration == preparation.calibration)
        let forget = Array(Self.prompts[3..<6])
        let whole = try InfluenceSupport.unlearn(half.corrected.adapter, next, InfluenceRequest(direct: forget))
        let (before, base) = (try LinearModel.margins(forget, original), try Self.base(forget))
        let after = try LinearModel.margins(forget, whole.corrected.adapter)
        #expect(Self.largest(after, base) < 0.1 * Self.largest(before, base))
        // Cut short it is refused.
        #expect(throws: ApproximateError.self) { _ = try InfluenceSupport.read(bytes.dropLast(8)) }
    }

    /// Labels that nothing in the text tells: they can only be memorised.
    private static func riddles(_ count: Int, seed: UInt64) -> [TrainingPrompt] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { index in
            let letters = (0..<6).map { _ in ["A", "B", "C", "D"].randomElement(using: &random) ?? "A" }
            let text = letters.joined() + " \(index)"
            return TrainingPrompt(
                id: "prompt \(index)", instruction: "judge", input: text, label: Bool.random(using: &random))
        }
    }

    @Test("Where margins bend, a trial goes beyond the first order: the distance to retraining falls by half")
    func memorised() throws {
        let training = try MemorisedTraining(Self.prompts, model: BentModel())
        let preparation = try training.calibrated(among: [.interpolation])
        let known = try #require(preparation.calibration)
        #expect(known.solution == .interpolation && known.distanceAfter < 0.5 * known.distanceBefore)
        // Single prompts, those of the trial, a quarter: what is asked for first order leaves a part of the way.
        let tried = try #require(known.overshoots)
        #expect(tried.map(\.share) == [1.0 / 40, 0.2, 0.25] && tried.allSatisfy { $0.factor >= 1 })
        // Each says how far it comes: as far as the trial did, or less.
        let way = try #require(known.way)
        #expect(tried.allSatisfy { $0.way.map { $0 > 0 && $0 <= way } ?? false } && tried[1].way == way)
        let before = try training.distance(training.original)
        #expect(before > 0.05)
        let result = try InfluenceSupport.unlearn(
            training.original, preparation, InfluenceRequest(direct: training.forget), model: training.model)
        #expect(try training.distance(result.corrected.adapter) < 0.5 * before)
        #expect(result.report.step == known.overshoot(share: 0.2) && result.report.calibration == known)
        // Of all solutions a trial takes the one that ends nearest; a refit is far nearer where features do not change.
        let free = try training.calibrated()
        #expect(try #require(free.calibration).distanceAfter <= known.distanceAfter)
    }
}

/// The linear model's margins x bent to x + x·|x|/4: the farther the training went, the steeper it is there, as with the product
/// of two factors.
private final class BentModel: AnswerModel {
    private let linear = LinearModel()
    var configuration: ModelConfiguration { linear.configuration }

    private func bent(_ margins: [AnswerLogits]) -> [AnswerLogits] {
        margins.map {
            let margin = $0.margin + $0.margin * abs($0.margin) / 4
            return AnswerLogits(yes: margin / 2, no: -margin / 2)
        }
    }

    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        var logits: [AnswerLogits] = []
        let result = try linear.gradient(prompts: prompts, adapter: adapter) { index, straight in
            logits += bent([straight])
            let slope = lossGradient(index, logits[index])
            let steepness = 1 + abs(straight.margin) / 2
            return AnswerLogits(yes: slope.yes * steepness, no: slope.no * steepness)
        }
        return (result.gradient, logits)
    }

    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits] {
        bent(try linear.answerLogits(prompts: prompts, adapters: adapters, weights: weights))
    }

    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { [] }
}
