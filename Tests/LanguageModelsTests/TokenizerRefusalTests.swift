import LanguageModels
import Testing

@Suite("Tokenizers that would encode differently are refused by name")
struct TokenizerRefusalTests {
    private func file(
        normalizer: String = "null",
        preTokenizer: String = #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"#,
        model: String = #"{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}"#, added: String = "[]"
    ) -> [UInt8] {
        Array(
            """
            {"added_tokens":\(added),"normalizer":\(normalizer),"pre_tokenizer":\(preTokenizer),"model":\(model)}
            """.utf8)
    }

    private func reason(_ bytes: [UInt8]) throws -> String {
        do {
            _ = try loadTokenizer(json: bytes, path: "tokenizer.json")
            return "accepted"
        } catch let error as LanguageModelError {
            switch error {
            case .unsupportedCheckpoint(_, let reason), .malformedFile(_, let reason): return reason
            default: return "\(error)"
            }
        }
    }

    @Test("The smallest tokenizer works")
    func smallest() throws {
        let tokenizer = try loadTokenizer(json: file(), path: "tokenizer.json")
        #expect(tokenizer.encode("abba") == [2, 1, 0])
        #expect(tokenizer.encode("a?b") == [0, 1], "without an unknown token, what has no symbol vanishes")
    }

    @Test("Unknown parts are named")
    func unknownParts() throws {
        #expect(try reason(file(normalizer: #"{"type":"Lowercase"}"#)).contains("Lowercase"))
        #expect(try reason(file(preTokenizer: #"{"type":"Whitespace"}"#)).contains("Whitespace"))
        let metaspace = #"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}"#
        let sequence = #"{"type":"Sequence","pretokenizers":[\#(metaspace),{"type":"Digits"}]}"#
        #expect(try reason(file(preTokenizer: sequence)).contains("Metaspace"))
        #expect(try reason(file(preTokenizer: #"{"type":"Digits"}"#)).contains("Digits without ByteLevel"))
        let scheme = #"{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"}"#
        #expect(try reason(file(preTokenizer: scheme)).contains("last"))
        let contradiction = #"{"type":"Metaspace","add_prefix_space":false,"prepend_scheme":"first"}"#
        #expect(try reason(file(preTokenizer: contradiction)).contains("contradict"))
        let prepend = #"{"type":"Prepend","prepend":"▁"}"#
        #expect(try reason(file(normalizer: prepend, preTokenizer: metaspace)).contains("Prepend"))
        let regex = #"{"type":"Replace","pattern":{"Regex":" +"},"content":"▁"}"#
        #expect(try reason(file(normalizer: regex)).contains("Replace"))
        let longer = #"{"type":"Replace","pattern":{"String":"a"},"content":"aa"}"#
        #expect(try reason(file(normalizer: longer)).contains("Replace"))
        #expect(
            try reason(file(normalizer: #"{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]}"#))
                .contains("NFKC"))
        #expect(try reason(file(model: #"{"type":"Unigram","vocab":[]}"#)).contains("Unigram"))
        let split = #"{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Isolated","invert":false}"#
        #expect(try reason(file(preTokenizer: split)).contains(#"\w+"#))
        let dropout = #"{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}"#
        #expect(try reason(file(model: dropout)).contains("dropout"))
        let fallback = #"{"type":"BPE","byte_fallback":true,"vocab":{"a":0},"merges":[]}"#
        #expect(try reason(file(model: fallback)).contains("byte_fallback beside ByteLevel"))
    }

    @Test("Contradictions are named")
    func contradictions() throws {
        #expect(try reason(file(model: #"{"type":"BPE","vocab":{"a":0},"merges":["a b"]}"#)).contains("merge 0"))
        #expect(try reason(file(model: #"{"type":"BPE","vocab":{"a":0},"merges":["ab"]}"#)).contains("pair"))
        #expect(try reason(file(model: #"{"type":"BPE","vocab":{"a":-1},"merges":[]}"#)).contains("valid id"))
        #expect(try reason(file(model: #"{"type":"BPE","vocab":{"a":1e300},"merges":[]}"#)).contains("valid id"))
        #expect(try reason(file(added: #"[{"content":"x","id":99999999999}]"#)).contains("valid id"))
        #expect(try reason(file(model: #"{"type":"BPE","vocab":{"a":0}}"#)).contains("merges"))
        #expect(try reason(Array("[1,2".utf8)).contains("array"))
        let unknown = #"{"type":"BPE","unk_token":"?","vocab":{"a":0},"merges":[]}"#
        #expect(try reason(file(model: unknown)).contains("unknown token"))
    }
}
