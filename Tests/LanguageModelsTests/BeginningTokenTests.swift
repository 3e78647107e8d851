import Files
import Foundation
import LanguageModels
import Testing

@Suite("The token that begins a text")
struct BeginningTokenTests {
    /// llama3.json with this post-processor.
    private func tokenizer(_ postProcessor: String) throws -> any Tokenizer {
        let plain = String(decoding: try Fixtures.bytes("tokenizers/llama3.json"), as: UTF8.self)
        let whole = plain.replacingOccurrences(
            of: "\"post_processor\":null", with: "\"post_processor\":\(postProcessor)")
        try #require(whole != plain)
        return try loadTokenizer(json: Array(whole.utf8), path: "tokenizer.json")
    }

    private func reason(_ load: () throws -> Void) -> String {
        do {
            try load()
            return "accepted"
        } catch let error as LanguageModelError {
            switch error {
            case .unsupportedCheckpoint(_, let reason), .malformedFile(_, let reason): return reason
            default: return "\(error)"
            }
        } catch { return "\(error)" }
    }

    @Test("Ids behind a post-processor's token equal the reference library's")
    func reference() throws {
        let processor = String(decoding: try Fixtures.bytes("tokenizers/beginning.json"), as: UTF8.self)
        let tokenizer = try tokenizer(processor)
        let texts = try JSONDecoder().decode([String].self, from: Data(Fixtures.bytes("tokenizers/texts.json")))
        let expected = try Fixtures.lines("tokenizers/beginning.hashes")
        try #require(texts.count == expected.count && texts.count > 2000)
        let differences = zip(texts, expected).filter { text, hash in
            let ids = (tokenizer.beginning + tokenizer.encode(text)).map(String.init).joined(separator: ",")
            return !sha256(Array(ids.utf8)).hasPrefix(hash)
        }
        #expect(differences.map(\.0) == [])
    }

    @Test("A prompt begins with it, also one that is too long for the model")
    func prompts() throws {
        let tokenizer = try tokenizer(String(decoding: try Fixtures.bytes("tokenizers/beginning.json"), as: UTF8.self))
        let text = "Whether the user will like the target movie"
        let ids = tokenizer.encode(text)
        #expect(tokenizer.encode(prompt: text, context: 1000) == tokenizer.beginning + ids)
        #expect(tokenizer.encode(prompt: text, context: 5) == tokenizer.beginning + ids.suffix(4))
        #expect(tokenizer.encode(prompt: text, context: 1) == tokenizer.beginning)
        #expect(tokenizer.encode(prompt: text, context: 0) == [])
    }

    @Test("Post-processors that do anything else are refused by name")
    func postProcessors() throws {
        func reason(_ json: String) -> String { self.reason { _ = try tokenizer(json) } }
        let begin = #"{"SpecialToken":{"id":"<s>","type_id":0}}"#
        let text = #"{"Sequence":{"id":"A","type_id":0}}"#
        func template(_ pieces: String..., ids: String = "[1]") -> String {
            #"{"type":"TemplateProcessing","single":[\#(pieces.joined(separator: ","))],"#
                + #""special_tokens":{"<s>":{"id":"<s>","ids":\#(ids),"tokens":["<s>"]}}}"#
        }
        #expect(reason(#"{"type":"ByteLevel","trim_offsets":true}"#) == "accepted")
        #expect(reason(template(begin, text)) == "accepted")
        #expect(try tokenizer(template(begin, begin, text)).beginning == [1, 1])
        #expect(reason(template(text, begin)).contains("<s> behind a text"))
        #expect(reason(template(begin)).contains("a text stands 0 times"))
        #expect(reason(template(begin, text, ids: "[-1]")).contains("no valid id"))
        #expect(reason(template(begin, text, ids: "[99999999999]")).contains("no valid id"))
        #expect(reason(template(#"{"SpecialToken":{"id":"<t>"}}"#, text)).contains("<t> has no ids"))
        #expect(reason(template(#"{"Other":{}}"#, text)).contains("unknown piece"))
        #expect(reason(#"{"type":"TemplateProcessing"}"#).contains("no template"))
        #expect(reason(#"{"type":"RobertaProcessing"}"#).contains("RobertaProcessing"))
        let two = template(begin, text)
        #expect(reason(#"{"type":"Sequence","processors":[\#(two),\#(two)]}"#).contains("two post-processors"))
    }

    @Test("A GGUF file's token begins every prompt where it asks for it, of Llama 3's family unless it says no")
    func gguf() throws {
        func model(_ change: (inout GGUFBuilder) -> Void) throws -> LoadedModel {
            var builder = GGUFBuilder.tiny()
            change(&builder)
            return try withTemporaryDirectory { directory in
                try Data(builder.bytes()).write(to: URL(fileURLWithPath: "\(directory)/m.gguf"))
                return try ModelLoader.load(path: "\(directory)/m.gguf")
            }
        }
        func flag(_ isSet: Bool) -> GGUFBuilder.Value { .raw(type: 7, bytes: [isSet ? 1 : 0]) }
        func ids(_ change: (inout GGUFBuilder) -> Void) throws -> [Int32] {
            try model(change).tokenizer.encode(prompt: "so", context: 16)
        }
        #expect(try ids { $0.set("tokenizer.ggml.bos_token_id", .integer(3)) } == [0, 1])
        #expect(
            try ids {
                $0.set("tokenizer.ggml.bos_token_id", .integer(3))
                $0.set("tokenizer.ggml.add_bos_token", flag(true))
            } == [3, 0, 1])
        #expect(
            try ids {
                $0.set("tokenizer.ggml.bos_token_id", .integer(3))
                $0.set("tokenizer.ggml.pre", .text("llama-bpe"))
            } == [3, 0, 1])
        #expect(
            try ids {
                $0.set("tokenizer.ggml.bos_token_id", .integer(3))
                $0.set("tokenizer.ggml.pre", .text("llama-bpe"))
                $0.set("tokenizer.ggml.add_bos_token", flag(false))
            } == [0, 1])
        func reason(_ change: (inout GGUFBuilder) -> Void) -> String { self.reason { _ = try model(change) } }
        #expect(reason { $0.set("tokenizer.ggml.add_bos_token", flag(true)) }.contains("bos_token_id"))
        #expect(reason { $0.set("tokenizer.ggml.add_eos_token", flag(true)) }.contains("add_eos_token"))
        #expect(reason { $0.set("tokenizer.ggml.add_bos_token", .integer(1)) }.contains("not a boolean"))
        #expect(
            reason {
                $0.set("tokenizer.ggml.add_bos_token", flag(true))
                $0.set("tokenizer.ggml.bos_token_id", .integer(8))
            }.contains("makes the token 8"))
    }

    @Test("tokenizer_config.json decides for Llama's classes, and must not contradict tokenizer.json otherwise")
    func configuration() throws {
        func load(_ configuration: String, template: Bool) throws -> LoadedModel {
            var builder = DirectoryBuilder()
            if template {
                builder.tokenizer = """
                    {"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
                     "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"Y"}},
                       {"Sequence":{"id":"A"}}],"special_tokens":{"Y":{"ids":[2]}}},
                     "model":{"type":"BPE","vocab":{"s":0,"o":1,"Y":2,"N":3,"e":4,"Ye":5,"Yes":6,"No":7},
                      "merges":["Y e","Ye s","N o"]}}
                    """
            }
            return try withTemporaryDirectory { directory in
                try builder.write(to: directory)
                try LanguageModelsTests.write(configuration, to: "\(directory)/tokenizer_config.json")
                return try ModelLoader.load(path: directory)
            }
        }
        func ids(_ configuration: String, template: Bool) throws -> [Int32] {
            try load(configuration, template: template).tokenizer.encode(prompt: "so", context: 16)
        }
        let fast = #""tokenizer_class":"PreTrainedTokenizerFast""#
        let llama = #""tokenizer_class":"LlamaTokenizerFast""#
        #expect(try ids("{\(fast)}", template: true) == [2, 0, 1])
        #expect(try ids("{\(fast),\"add_bos_token\":false}", template: false) == [0, 1])
        #expect(try ids("{\(llama),\"bos_token\":\"N\"}", template: false) == [3, 0, 1])
        #expect(try ids("{\(llama),\"bos_token\":{\"content\":\"N\"}}", template: true) == [3, 0, 1])
        #expect(try ids("{\(llama),\"add_bos_token\":false}", template: true) == [0, 1])
        func reason(_ configuration: String, template: Bool) -> String {
            self.reason { _ = try load(configuration, template: template) }
        }
        #expect(reason("{\(fast),\"add_bos_token\":true}", template: false).contains("add_bos_token true"))
        #expect(reason("{\(fast),\"add_bos_token\":false}", template: true).contains("add_bos_token false"))
        #expect(reason("{\(fast),\"add_eos_token\":true}", template: true).contains("add_eos_token"))
        #expect(reason("{\(llama)}", template: true).contains("no bos_token"))
        #expect(reason("{\(llama),\"bos_token\":\"<s>\"}", template: true).contains("<s>"))
        #expect(reason("{", template: true) != "accepted")
    }

    @Test("A base model is another one with the token than without; one without keeps its name")
    func digest() throws {
        func digest(_ configuration: String?) throws -> String {
            try withTemporaryDirectory { directory in
                try DirectoryBuilder().write(to: directory)
                if let configuration {
                    try LanguageModelsTests.write(configuration, to: "\(directory)/tokenizer_config.json")
                }
                return try ModelLoader.load(path: directory).checkpoint.digest
            }
        }
        let llama = #""tokenizer_class":"LlamaTokenizer""#
        let plain = try digest(nil)
        #expect(try digest("{\(llama),\"add_bos_token\":false}") == plain)
        let first = try digest("{\(llama),\"bos_token\":\"N\"}")
        #expect(first != plain)
        #expect(try digest("{\(llama),\"bos_token\":\"Y\"}") != first)
    }
}
