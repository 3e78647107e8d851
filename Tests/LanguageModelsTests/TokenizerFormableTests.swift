import Foundation
import LanguageModels
import Testing

@Suite("What titles cannot say")
struct TokenizerFormableTests {
    /// Of eight embedding rows.
    private func load(
        added: String, vocabulary: String = #"{"s":0,"o":1,"Y":2,"N":3,"e":4,"Ye":5,"Yes":6,"No":7}"#,
        merges: String = #"["Y e","Ye s","N o"]"#, rows: Int = 8
    ) throws -> any Tokenizer {
        try withTemporaryDirectory { directory in
            var builder = DirectoryBuilder()
            builder.config["vocab_size"] = "\(rows)"
            builder.tensors[0] = .init(
                name: "model.embed_tokens.weight", shape: [rows, 4], floats: [Float](repeating: 0, count: 4 * rows))
            builder.tokenizer = """
                {"added_tokens":\(added),"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
                 "model":{"type":"BPE","vocab":\(vocabulary),"merges":\(merges)}}
                """
            try builder.write(to: directory)
            return try ModelLoader.load(path: directory).tokenizer
        }
    }

    @Test("A control token that a text spells out stays text, in the text as it stands and in the normalised one")
    func control() throws {
        for normalized in [true, false] {
            let tokenizer = try load(
                added: #"[{"content":"soso","id":3,"special":true,"normalized":\#(normalized)}]"#)
            #expect(tokenizer.encode(written: "Ysoso") == [2, 0, 1, 0, 1])
        }
        // What was added and is no control token is formed as the reference library forms it.
        #expect(try load(added: #"[{"content":"soso","id":3,"special":false}]"#).encode(written: "Ysoso") == [2, 3])
    }

    @Test("An added token without an embedding is never formed", arguments: [8, 9, 1_000_000])
    func beyond(_ id: Int) throws {
        let tokenizer = try load(added: #"[{"content":"so","id":\#(id),"special":false}]"#)
        #expect(tokenizer.encode(written: "soY") == [0, 1, 2])
    }

    @Test("A tokenizer whose ordinary tokens lie beyond the embeddings is refused; unused ones do no harm")
    func refused() throws {
        func vocabulary(_ s: Int, _ more: String = "") -> String {
            #"{"s":\#(s),"o":1,"Y":2,"N":3,"e":4,"Ye":5,"Yes":6,"No":7\#(more)}"#
        }
        #expect(throws: LanguageModelError.self) {
            try load(
                added: "[]", vocabulary: vocabulary(0, #","so":8"#), merges: #"["Y e","Ye s","N o","s o"]"#)
        }
        #expect(throws: LanguageModelError.self) { try load(added: "[]", vocabulary: vocabulary(8)) }
        #expect(try load(added: "[]", vocabulary: vocabulary(0, #","so":8"#)).encode(written: "so") == [0, 1])
    }

    @Test("A control token that merges make is not made of what people wrote")
    func merged() throws {
        let tokenizer = try load(
            added: #"[{"content":"so","id":3,"special":true}]"#,
            vocabulary: #"{"s":0,"o":1,"Y":2,"so":3,"e":4,"Ye":5,"Yes":6,"No":7,"N":8}"#,
            merges: #"["s o","Y e","Ye s","N o"]"#, rows: 9)
        #expect(tokenizer.encode("so") == [3])
        #expect(tokenizer.encode(written: "so") == [0, 1])
    }

    @Test("A prompt that is longer than the context is read from its end")
    func context() throws {
        let tokenizer = try load(added: "[]")
        #expect(tokenizer.encode(prompt: "sssoY", context: 3) == [0, 1, 2])
        #expect(tokenizer.encode(prompt: "sY", context: 3) == [0, 2])
    }
}
