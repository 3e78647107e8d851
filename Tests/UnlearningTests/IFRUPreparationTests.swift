import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("A preparation of IFRU, kept and continued")
struct IFRUPreparationTests {
    private let shop: LetterShop
    private let adapter: Adapter
    private let preparation: InfluencePreparation

    init() throws {
        shop = try LetterShop()
        adapter = try LetterShop.train(shop.training())
        preparation = try LetterShop.prepare(shop.training(), adapter, references: 30)
    }

    private static func successor(
        of preparation: InfluencePreparation, after result: IFRU.Result, of request: InfluenceRequest
    ) throws -> InfluenceSuccessor {
        try InfluenceSuccessor(
            of: preparation, after: result, of: request, tokenizer: LetterShop.tokenizer, limit: 1_000)
    }

    private func bytes(_ preparation: InfluencePreparation) throws -> Data {
        var bytes = Data()
        try preparation.write { bytes.append($0) }
        return bytes
    }

    private func read(_ bytes: Data) throws -> InfluencePreparation {
        var rest = bytes
        return try InfluencePreparation(count: bytes.count) { buffer in
            try #require(rest.count >= buffer.count)
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest = rest.dropFirst(buffer.count)
        }
    }

    @Test("Written and read it is the same, and gives the same corrections")
    func roundTrip() throws {
        let calibrated = try preparation.calibrated(
            model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, prompts: shop.training(),
            by: InfluenceTrial(specification: LetterShop.specification))
        for kept in [preparation, calibrated] { #expect(try read(bytes(kept)) == kept) }
        let request = InfluenceRequest(direct: Array(shop.training().prefix(5)))
        func correct(_ preparation: InfluencePreparation) throws -> Adapter {
            try IFRU.unlearn(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
                request: request
            ).corrected.adapter
        }
        #expect(try correct(read(bytes(calibrated))) == correct(calibrated))
    }

    @Test("Bytes that are cut, changed in their header or something else are refused")
    func damage() throws {
        let whole = try bytes(preparation)
        func refuse(_ data: Data) {
            #expect(throws: ApproximateError.self) { try read(data) }
        }
        for length in [0, 7, 8, 15, 16, 200, whole.count / 2, whole.count - 1] { refuse(whole.prefix(length)) }
        refuse(whole + Data([0]))
        for position in [0, 9, 14, 16, 17] {
            var changed = whole
            changed[position] ^= 0x10
            refuse(changed)
        }
        // A header that promises more than any memory has.
        let cost = #""cost":{"scoredTokens":0,"seconds":0,"steps":0,"trainedTokens":0}"#
        for (parameters, references) in [
            (9_000_000_000_000_000_000, 9_000_000_000_000_000_000), (1, 3), (-1, 2), (2, 0),
        ] {
            let header = Data(
                (#"{"adapter":"a","corrections":0,"entries":[],"parameters":\#(parameters),"#
                    + #""references":\#(references),\#(cost)}"#).utf8)
            var file = whole.prefix(8)
            withUnsafeBytes(of: UInt64(header.count)) { file.append(contentsOf: $0) }
            refuse(file + header)
            refuse(file + header + Data(count: 64))
        }
        var endless = whole
        for position in 8..<16 { endless[position] = 0xFF }
        refuse(endless)
    }

    @Test("After a correction nothing of the forgotten prompts is left in it, and the next request finds it ready")
    func sequence() throws {
        var (preparation, adapter) = (try LetterShop.prepare(shop.training(), adapter), adapter)
        var provenance = AdapterProvenance.trained
        var gone: Set<InteractionKey> = []
        let reference = { (gone: Set<InteractionKey>) in try LetterShop.train(shop.training(without: gone)) }
        let everything = shop.training()
        for (count, user) in ["u0", "u4", "u7"].enumerated() {
            let before = shop.prompts(without: gone)
            gone.formUnion(shop.interactions.filter { $0.user == user && $0.timestamp == 4 }.map(\.key))
            let request = InfluenceRequest(
                difference: PromptDifference(from: before, to: shop.prompts(without: gone)))
            let result = try IFRU.unlearn(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, provenance: provenance,
                preparation: preparation, request: request, retained: everything)
            adapter = result.corrected.adapter
            preparation = try Self.successor(of: preparation, after: result, of: request).preparation(
                model: LetterModel(), adapter: adapter)
            provenance = .approximate(result.corrected.provenance)
            #expect(preparation.adapter == adapter.contentName && preparation.corrections == count + 1)
            #expect(result.corrected.provenance.corrections == count + 1 && result.report.corrections == count + 1)
            // Exactly the retained prompts, in their present version, are left.
            let training = shop.training(without: gone).sorted { $0.id < $1.id }
            #expect(preparation.entries.map(\.digest) == training.map(\.digest))
            #expect(preparation.entries.compactMap(\.row).sorted() == Array(0..<preparation.referenceCount))
            let margins = try LetterShop.margins(training, adapter)
            for (entry, margin) in zip(preparation.entries, margins) {
                let row = try #require(entry.row)
                #expect(abs(preparation.margins[row] - margin) < 0.1)
            }
            // Rows of rebuilt prompts are fresh.
            let fresh = try LetterShop.prepare(training, adapter)
            for change in request.rebuilt {
                let position = try #require(preparation.entries.firstIndex { $0.id == change.new.id })
                let row = try #require(preparation.entries[position].row)
                #expect(Array(preparation.rows.row(row)) == Array(fresh.rows.row(position)))
            }
        }
        // After three requests in sequence still closer to the retrained model than the original is.
        let touched = everything.filter { prompt in !shop.training(without: gone).contains(prompt) }
        let target = try LetterShop.margins(touched, reference(gone))
        func distance(_ adapter: Adapter) throws -> Double {
            try #require(
                DivergenceSummary(margins: try LetterShop.margins(touched, adapter), reference: target).marginDifference
            )
        }
        #expect(try distance(adapter) < distance(self.adapter))
    }

    @Test("A result of another preparation, or none at all, is refused")
    func refused() throws {
        let request = InfluenceRequest(direct: [shop.training()[0]])
        let result = try IFRU.unlearn(
            model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
            request: request)
        let successor = try Self.successor(of: preparation, after: result, of: request)
        let refusal = ApproximateError.preparationOfAnotherAdapter(
            expected: result.corrected.adapter.contentName, found: adapter.contentName)
        #expect(throws: refusal) { try successor.preparation(model: LetterModel(), adapter: adapter) }
        let next = try successor.preparation(model: LetterModel(), adapter: result.corrected.adapter)
        #expect(throws: refusal) { try Self.successor(of: next, after: result, of: request) }
    }

    @Test("Progress comes after every row, and a cancelled preparation stops before its next one")
    func progress() throws {
        var seen: [Int] = []
        #expect(throws: UnlearningError.cancelled) {
            try InfluencePreparation(
                model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, prompts: shop.training(),
                progress: { done, total in
                    seen.append(done)
                    #expect(total == shop.training().count)
                }, isCancelled: { seen.count == 4 })
        }
        #expect(seen == [1, 2, 3, 4])
    }
}
