import Files
import Foundation
import LanguageModels
import Testing

@Suite("SentencePiece's tokenizers")
struct SentencePieceTests {
    private struct Scores: Decodable {
        var tokens: [String]
        var scores: [Float]
        var types: [Int32]
    }

    private static func raw(_ values: [some FixedWidthInteger], type: UInt8) -> GGUFBuilder.Value {
        let count = (0..<8).map { UInt8(truncatingIfNeeded: values.count >> (8 * $0)) }
        return .raw(
            type: 9,
            bytes: [type, 0, 0, 0] + count
                + values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } })
    }

    /// The library's model as a GGUF file.
    private static func builder(_ change: (inout [String], inout [Float], inout [Int32]) -> Void = { _, _, _ in })
        throws
        -> GGUFBuilder
    {
        var scores = try JSONDecoder().decode(
            Scores.self, from: Data(Fixtures.bytes("tokenizers/sentencepiece.scores.json")))
        change(&scores.tokens, &scores.scores, &scores.types)
        var builder = GGUFBuilder.tiny()
        let count = scores.tokens.count
        builder.replace("token_embd.weight") {
            $0.dimensions = [4, UInt64(count)]
            $0.data = [UInt8](repeating: 0, count: 16 * count)
        }
        for key in ["merges", "pre"] { builder.set("tokenizer.ggml.\(key)", nil) }
        builder.set("tokenizer.ggml.model", .text("llama"))
        builder.set("tokenizer.ggml.tokens", .texts(scores.tokens))
        builder.set("tokenizer.ggml.scores", raw(scores.scores.map(\.bitPattern), type: 6))
        builder.set("tokenizer.ggml.token_type", raw(scores.types, type: 5))
        return builder
    }

    private static func load(_ builder: GGUFBuilder) throws -> any Tokenizer {
        try withTemporaryDirectory { directory in
            try write(builder.bytes(), to: "\(directory)/model.gguf")
            return try ModelLoader.load(path: directory).tokenizer
        }
    }

    private func reason(_ change: (inout GGUFBuilder) throws -> Void) throws -> String {
        var builder = try Self.builder()
        try change(&builder)
        do {
            _ = try Self.load(builder)
            return "accepted"
        } catch let error as LanguageModelError { return error.description }
    }

    @Test("Ids of a GGUF file's scores equal the library's own; a prompt begins with its token unless the file says no")
    func scores() throws {
        let tokenizer = try Self.load(Self.builder())
        let texts = try JSONDecoder().decode([String].self, from: Data(Fixtures.bytes("tokenizers/texts.json")))
        let expected = try Fixtures.lines("tokenizers/sentencepiece.hashes")
        try #require(texts.count == expected.count && texts.count > 2000)
        let differences = zip(texts, expected).filter { text, hash in
            let ids = tokenizer.encode(written: text).map(String.init).joined(separator: ",")
            return !sha256(Array(ids.utf8)).hasPrefix(hash)
        }
        #expect(differences.map(\.0) == [])
        #expect(tokenizer.beginning == [1])
        for text in texts { #expect(tokenizer.decode(tokenizer.encode(written: text)) == text) }
        var silent = try Self.builder()
        silent.set("tokenizer.ggml.add_bos_token", .raw(type: 7, bytes: [0]))
        #expect(try Self.load(silent).beginning == [])
    }

    @Test("A control token that a text spells out is found by the reader of files, never in what people wrote")
    func controls() throws {
        let tokenizer = try Self.load(Self.builder())
        #expect(tokenizer.encode("</s>") == [2])
        #expect(!tokenizer.encode(written: "</s>").contains(2))
    }

    @Test("Without a blank in front, as the file says")
    func prefix() throws {
        var builder = try Self.builder()
        builder.set("tokenizer.ggml.add_space_prefix", .raw(type: 7, bytes: [0]))
        let (plain, prefixed) = (try Self.load(builder), try Self.load(Self.builder()))
        #expect(plain.encode(" movie") == prefixed.encode("movie"))
        #expect(plain.encode("movie") != prefixed.encode("movie"))
        #expect(plain.decode(plain.encode("movie")) == "movie")
    }

    @Test("What the file asks for and is not honoured is refused by name")
    func refused() throws {
        #expect(try reason { _ in } == "accepted")
        #expect(
            try reason { $0.set("tokenizer.ggml.remove_extra_whitespaces", .raw(type: 7, bytes: [1])) }
                .contains("remove_extra_whitespaces"))
        #expect(
            try reason { $0.set("tokenizer.ggml.precompiled_charsmap", .text("x")) }.contains("precompiled_charsmap"))
        #expect(try reason { $0.set("tokenizer.ggml.scores", nil) }.contains("a score and a type"))
        #expect(try reason { $0.set("tokenizer.ggml.token_type", nil) }.contains("a score and a type"))
        #expect(try reason { $0 = try Self.builder { _, scores, _ in scores[400] = .nan } }.contains("finite"))
        #expect(try reason { $0 = try Self.builder { _, _, types in types[70] = 1 } }.contains("no token for the byte"))
        #expect(try reason { $0 = try Self.builder { _, _, types in types[400] = 6 } }.contains("byte token"))
        #expect(try reason { $0 = try Self.builder { _, _, types in types[400] = 9 } }.contains("type 9"))
        #expect(
            try reason { $0 = try Self.builder { tokens, _, types in types[tokens.firstIndex(of: "th") ?? 260] = 5 } }
                .contains("unused"))
    }
}
