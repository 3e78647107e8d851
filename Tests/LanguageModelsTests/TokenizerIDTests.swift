import Files
import Foundation
import LanguageModels
import Testing

@Suite("Token ids")
struct TokenizerIDTests {
    private static func texts() throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(Fixtures.bytes("tokenizers/texts.json")))
    }

    private static func load(_ name: String) throws -> any Tokenizer {
        try loadTokenizer(json: Fixtures.bytes("tokenizers/\(name).json"), path: "\(name).json")
    }

    /// Texts whose ids differ from the reference's.
    private static func differences(_ tokenizer: any Tokenizer, _ name: String) throws -> [String] {
        let texts = try texts()
        let expected = try Fixtures.lines("tokenizers/\(name).hashes")
        try #require(texts.count == expected.count && texts.count > 2000)
        return zip(texts, expected).compactMap { text, hash in
            let ids = tokenizer.encode(text).map(String.init).joined(separator: ",")
            return sha256(Array(ids.utf8)).hasPrefix(hash) ? nil : text
        }
    }

    @Test(
        "Ids equal the reference library's",
        arguments: [
            "digits", "llama3", "qwen2", "prefix", "unknown", "tekken", "o200k", "llama2", "phi3", "metaspace", "words",
            "gaps", "fused",
        ])
    func idsEqualTheReference(name: String) throws {
        #expect(try Self.differences(Self.load(name), name) == [])
    }

    @Test("Ids of the real model's tokenizer equal the reference library's", .enabled(if: Fixtures.realModel != nil))
    func realIDsEqualTheReference() throws {
        let model = try ModelLoader.load(path: #require(Fixtures.realModel))
        #expect(try Self.differences(model.tokenizer, "smollm2") == [])
        #expect(model.tokenizer.decode([model.answerTokens.yes]) == "Yes")
        #expect(model.tokenizer.decode([model.answerTokens.no]) == "No")
    }

    @Test("A tokenizer in a GGUF file gives the same ids as its tokenizer.json")
    func ggufEqualsJSON() throws {
        let model = try ModelLoader.load(path: Fixtures.path("checkpoints/tiny.gguf"))
        #expect(try Self.differences(model.tokenizer, "digits") == [])
    }

    @Test("Decoding gives back the text where every byte has a symbol")
    func decodingInverts() throws {
        for name in ["llama3", "llama2", "tekken"] {
            let tokenizer = try Self.load(name)
            for text in try Self.texts() { #expect(tokenizer.decode(tokenizer.encode(text)) == text) }
        }
    }

    @Test("Ids out of range decode to nothing")
    func unknownIDsDecodeToNothing() throws {
        let tokenizer = try Self.load("llama3")
        #expect(tokenizer.decode([-1, .max, .min]) == "")
        #expect(tokenizer.vocabularySize >= 300)
    }

    @Test("Long words merge in less than quadratic time")
    func longWordsAreQuick() throws {
        let tokenizer = try Self.load("llama3")
        let text = String(repeating: "preference", count: 30_000)
        let time = ContinuousClock().measure { #expect(tokenizer.encode(text).count < text.utf8.count) }
        #expect(time < .seconds(2))
    }
}
