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

    private func withFile(_ body: (URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("influence-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url)
    }

    @Test("Written and read it is the same, and gives the same corrections")
    func roundTrip() throws {
        let calibrated = try preparation.calibrated(
            model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, prompts: shop.training(),
            by: InfluenceTrial(specification: LetterShop.specification))
        try withFile { url in
            for kept in [preparation, calibrated] {
                try kept.write(to: url)
                #expect(try InfluencePreparation(contentsOf: url) == kept)
            }
            let request = InfluenceRequest(direct: Array(shop.training().prefix(5)))
            func correct(_ preparation: InfluencePreparation) throws -> Adapter {
                try IFRU.unlearn(
                    model: LetterModel(), tokenizer: LetterShop.tokenizer, adapter: adapter, preparation: preparation,
                    request: request
                ).corrected.adapter
            }
            #expect(try correct(InfluencePreparation(contentsOf: url)) == correct(calibrated))
            let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let directory = url.deletingLastPathComponent().path
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(!left.contains(url.lastPathComponent + ".part"))
        }
    }

    @Test("A file that is cut, changed or something else is refused")
    func damage() throws {
        try withFile { url in
            try preparation.write(to: url)
            let whole = try Data(contentsOf: url)
            func refuse(_ data: Data) throws {
                try data.write(to: url)
                #expect(throws: ApproximateError.self) { try InfluencePreparation(contentsOf: url) }
            }
            for length in [0, 7, 8, 15, 16, 200, whole.count / 2, whole.count - 1] { try refuse(whole.prefix(length)) }
            try refuse(whole + Data([0]))
            for position in [0, 9, 14, 40, whole.count / 3, whole.count / 2, whole.count - 30, whole.count - 1] {
                var changed = whole
                changed[position] ^= 0x10
                try refuse(changed)
            }
            // A header that promises more than any memory has.
            let cost = #""cost":{"scoredTokens":0,"seconds":0,"steps":0,"trainedTokens":0}"#
            let text =
                #"{"adapter":"a","corrections":0,"entries":[],"parameters":9000000000000000000,"#
                + #""references":9000000000000000000,\#(cost)}"#
            var header = Data(text.utf8)
            while header.count % 8 != 0 { header.append(0x20) }
            var file = Data("LETHEIF2".utf8)
            withUnsafeBytes(of: UInt64(header.count)) { file.append(contentsOf: $0) }
            try refuse(file + header)
            var endless = whole
            for position in 8..<16 { endless[position] = 0xFF }
            try refuse(endless)
        }
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
        #expect(throws: (any Error).self) {
            try InfluencePreparation(contentsOf: URL(fileURLWithPath: "/nowhere/influence"))
        }
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
