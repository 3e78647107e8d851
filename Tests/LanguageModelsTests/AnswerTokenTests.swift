import Foundation
import LanguageModels
import Testing

@Suite("The tokens of the answers")
struct AnswerTokenTests {
    private func load(vocabulary: String, merges: String = "[]", preTokenizer: String? = nil) throws -> LoadedModel {
        try withTemporaryDirectory { directory in
            var builder = DirectoryBuilder()
            let level = preTokenizer ?? #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}"#
            builder.tokenizer = """
                {"pre_tokenizer":\(level),"model":{"type":"BPE","vocab":\(vocabulary),"merges":\(merges)}}
                """
            try builder.write(to: directory)
            return try ModelLoader.load(path: directory)
        }
    }

    private func reason(vocabulary: String, merges: String = "[]") throws -> String {
        do {
            _ = try load(vocabulary: vocabulary, merges: merges)
            return "accepted"
        } catch let error as LanguageModelError { return error.description }
    }

    @Test("An answer's token is the one behind a prompt, where no blank stands in front of the word")
    func behind() throws {
        let metaspace = #"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"#
        let vocabulary = #"{"Y":0,"N":1,"▁":2,"\n":3,"▁Y":4,"▁N":5,"s":6,"o":7,"e":8,"Ye":9,"Yes":10,"No":11}"#
        let merges = #"["▁ Y","▁ N","Y e","Ye s","N o"]"#
        let model = try withTemporaryDirectory { directory in
            var builder = DirectoryBuilder()
            builder.config["vocab_size"] = "12"
            builder.tensors[0] = .init(
                name: "model.embed_tokens.weight", shape: [12, 4], floats: [Float](repeating: 0, count: 48))
            builder.tokenizer = """
                {"pre_tokenizer":\(metaspace),"model":{"type":"BPE","vocab":\(vocabulary),"merges":\(merges)}}
                """
            try builder.write(to: directory)
            return try ModelLoader.load(path: directory)
        }
        // Alone the word begins with the blank that the tokenizer adds.
        #expect(model.tokenizer.encode("Yes") != [10])
        #expect(model.answerTokens == (10, 11))
    }

    @Test("An answer of several tokens is refused by name")
    func several() throws {
        #expect(
            try reason(vocabulary: #"{"Y":0,"e":1,"s":2,"No":3,"N":4,"o":5}"#, merges: #"["N o"]"#)
                .contains(#"the answer "Yes" is 3 tokens behind a prompt"#))
    }

    @Test("An answer whose token changes the prompt's last ones is refused by name")
    func joined() throws {
        // U+010A stands for the line break.
        let vocabulary = #"{"Y":0,"Ċ":1,"N":2,"ĊY":3,"o":4,"No":5}"#
        #expect(try reason(vocabulary: vocabulary, merges: #"["Ċ Y","N o"]"#).contains("joins the end of the prompt"))
    }

    @Test("A tokenizer that knows neither word is refused")
    func unknown() throws {
        #expect(try reason(vocabulary: #"{"a":0}"#).contains(#"the answer "Yes" is 0 tokens"#))
    }
}
