import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("What a request may need beside its preparation")
struct IFRURoomTests {
    private static let prompts = letterPrompts(40, seed: 4)

    private static func request() -> InfluenceRequest {
        var changed = Array(prompts[5..<8])
        for index in changed.indices { changed[index].input += "xyz" }
        return InfluenceRequest(
            direct: Array(prompts[..<2]),
            rebuilt: zip(prompts[5..<8], changed).map { InfluenceRequest.Rebuilt(old: $0, new: $1) },
            added: [TrainingPrompt(id: "new", instruction: "", input: "a new one", label: true)])
    }

    @Test(
        "Fresh rows beyond the limit are refused before any is made; what fits is corrected",
        arguments: [#""solution":"refit","damping":0.05"#, #""damping":1,"overshoots":[{"share":0.1,"factor":1}]"#])
    func bounded(calibration: String) throws {
        let adapter = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let preparation = try InfluenceSupport.prepared(adapter, Self.prompts, calibration: calibration)
        // Three new versions and an added prompt, and the products of 44 rows.
        let bytes = 4 * adapter.values.count * 4 + 44 * 44 * 8
        let model = CountingModel()
        #expect(throws: ApproximateError.preparationTooLarge(bytes: bytes, limit: bytes - 1)) {
            try InfluenceSupport.unlearn(
                adapter, preparation, Self.request(), model: model, memoryLimit: bytes - 1)
        }
        #expect(model.gradients == 0)
        let result = try InfluenceSupport.unlearn(
            adapter, preparation, Self.request(), model: model, memoryLimit: bytes)
        #expect(result.report.backwardPrompts == 4 && model.gradients == 4)
        // What the preparation has needs no room.
        let deleted = InfluenceRequest(direct: Array(Self.prompts[..<2]))
        #expect(try InfluenceSupport.unlearn(adapter, preparation, deleted, memoryLimit: 0).report.backwardPrompts == 0)
    }

    @Test("Of a refit the old versions without a row count as well")
    func withoutRows() throws {
        let adapter = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        for (calibration, old) in [
            (#""solution":"refit","damping":0.05"#, true),
            (#""damping":1,"overshoots":[{"share":0.1,"factor":1}]"#, false),
        ] {
            let preparation = try InfluenceSupport.prepared(
                adapter, Self.prompts, calibration: calibration, references: 25)
            let without = Set(preparation.entries.filter { $0.row == nil }.map(\.id))
            let request = Self.request()
            let fresh =
                request.direct.count { without.contains($0.id) } + 4
                + (old ? request.rebuilt.count { without.contains($0.old.id) } : 0)
            let bytes = fresh * adapter.values.count * 4 + (25 + fresh) * (25 + fresh) * 8
            #expect(throws: ApproximateError.preparationTooLarge(bytes: bytes, limit: 1)) {
                try InfluenceSupport.unlearn(adapter, preparation, request, memoryLimit: 1)
            }
        }
    }

    @Test("A successor's rows are bounded as those of a preparation are")
    func successor() throws {
        let adapter = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let preparation = try InfluenceSupport.prepared(
            adapter, Self.prompts, calibration: #""solution":"refit","damping":0.05"#)
        let request = Self.request()
        let result = try InfluenceSupport.unlearn(adapter, preparation, request)
        let successor = try InfluenceSuccessor(
            of: preparation, after: result, of: request, tokenizer: ByteTokenizer(), limit: 1000)
        let bytes = 39 * adapter.values.count * 4
        #expect(throws: ApproximateError.preparationTooLarge(bytes: bytes, limit: bytes - 1)) {
            try successor.preparation(
                model: LinearModel(), adapter: result.corrected.adapter, memoryLimit: bytes - 1)
        }
        let next = try successor.preparation(
            model: LinearModel(), adapter: result.corrected.adapter, memoryLimit: bytes)
        #expect(next.referenceCount == 39)
    }

    @Test("A preparation begins with the name of its form; one of before is refused")
    func forms() throws {
        let adapter = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        let preparation = try InfluenceSupport.prepared(
            adapter, Self.prompts, calibration: #""solution":"refit","damping":0.05"#)
        var bytes = try InfluenceSupport.written(preparation)
        #expect(bytes.starts(with: InfluencePreparation.form.utf8) && InfluencePreparation.form.utf8.count == 8)
        bytes.replaceSubrange(0..<8, with: Data("LETHEIF5".utf8))
        #expect(throws: ApproximateError.malformedPreparation(reason: "it is no preparation")) {
            _ = try InfluenceSupport.read(bytes)
        }
    }
}

/// Counts the backward passes.
private final class CountingModel: AnswerModel {
    private let linear = LinearModel()
    private(set) var gradients = 0
    var configuration: ModelConfiguration { linear.configuration }

    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        gradients += prompts.count
        return try linear.gradient(prompts: prompts, adapter: adapter, lossGradient: lossGradient)
    }

    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits] {
        try linear.answerLogits(prompts: prompts, adapters: adapters, weights: weights)
    }

    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] { [] }
}
