import Foundation
import LanguageModels
import Testing

@Suite("Chat templates")
struct ChatWrappingTests {
    /// A model whose tokenizer has these control tokens, and whose files have this chat template.
    private func model(
        controls: [String], template: String?, extra: String = "", jinja: String? = nil,
        _ body: (LoadedModel, String) throws -> Void
    ) throws {
        try withTemporaryDirectory { directory in
            var builder = DirectoryBuilder()
            let rows = 8 + controls.count + 1
            builder.config["vocab_size"] = "\(rows)"
            builder.tensors[0] = .init(
                name: "model.embed_tokens.weight", shape: [rows, 4], floats: [Float](repeating: 0, count: 4 * rows))
            let added = controls.enumerated().map {
                #"{"content":"\#($1)","id":\#(9 + $0),"special":true,"normalized":false}"#
            }
            builder.tokenizer = """
                {"added_tokens":[\(added.joined(separator: ","))],
                 "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
                 "model":{"type":"BPE","vocab":{"s":0,"o":1,"Y":2,"N":3,"e":4,"Ye":5,"Yes":6,"No":7,"u":8},
                          "merges":["Y e","Ye s","N o"]}}
                """
            try builder.write(to: directory)
            if let template {
                let text = String(decoding: try JSONEncoder().encode(template), as: UTF8.self)
                try write(#"{"chat_template":\#(text)\#(extra)}"#, to: "\(directory)/tokenizer_config.json")
            }
            if let jinja { try write(jinja, to: "\(directory)/chat_template.jinja") }
            try body(ModelLoader.load(path: directory), directory)
        }
    }

    private struct Kind: Sendable {
        var style: String
        var template: String
        var controls: [String]
        var open: String
        var close: String
        var extra = ""
    }

    private static let kinds = [
        Kind(
            style: "ChatML",
            template:
                "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}",
            controls: ["<|im_start|>", "<|im_end|>"], open: "<|im_start|>user\n",
            close: "<|im_end|>\n<|im_start|>assistant\n"),
        Kind(
            style: "Llama 3",
            template:
                "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}",
            controls: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>"],
            open: "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
            close: "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            extra: #","bos_token":"<|begin_of_text|>""#),
        Kind(
            style: "Llama 2",
            template:
                "{% set content = '<<SYS>>\\n' + system_message %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}",
            controls: ["<s>"], open: "<s>[INST] ", close: " [/INST]", extra: #","bos_token":{"content":"<s>"}"#),
        Kind(
            style: "Mistral", template: "{{ '[INST] ' + message['content'] + '[/INST]' }}",
            controls: ["[INST]", "[/INST]"],
            open: "[INST] ", close: "[/INST]"),
        Kind(
            style: "Phi-3", template: "{{ '<|user|>\\n' + message['content'] + '<|end|>\\n' }}{{ '<|assistant|>\\n' }}",
            controls: ["<|user|>", "<|end|>", "<|assistant|>"], open: "<|user|>\n", close: "<|end|>\n<|assistant|>\n"),
        Kind(
            style: "Zephyr", template: "{{ '<|user|>\\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}",
            controls: ["</s>"], open: "<|user|>\n", close: "</s>\n<|assistant|>\n", extra: #","eos_token":"</s>""#),
        Kind(
            style: "Gemma",
            template: "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}",
            controls: ["<start_of_turn>", "<end_of_turn>"], open: "<start_of_turn>user\n",
            close: "<end_of_turn>\n<start_of_turn>model\n"),
    ]

    @Test("Each known family is told by its role markers, and those of them that are control tokens are named")
    func known() throws {
        for kind in Self.kinds {
            try model(controls: kind.controls, template: kind.template, extra: kind.extra) { model, path in
                let wrapping = try ChatWrapping(of: model, path: path)
                #expect(wrapping.style == kind.style)
                #expect(wrapping.open == kind.open && wrapping.close == kind.close, "\(kind.style)")
                #expect(wrapping.controls.sorted() == kind.controls.sorted(), "\(kind.style)")
            }
        }
    }

    @Test("A marker that the tokenizer knows as text is text, and the file of its own counts before the configuration")
    func text() throws {
        let (chatML, gemma) = (Self.kinds[0], Self.kinds[6])
        try model(controls: ["<|im_end|>"], template: gemma.template, jinja: chatML.template) { model, path in
            let wrapping = try ChatWrapping(of: model, path: path)
            #expect(wrapping.style == "ChatML" && wrapping.controls == ["<|im_end|>"])
        }
    }

    @Test(
        "A template that is unknown or not there is refused, and the message says which are known",
        arguments: [
            "{{ '<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>' }}",
            "{{ '<|user|>\\n' + message['content'] + '\\n' }}{% if assistant %}{{ message['content'] + eos_token }}{% endif %}",
            "{{ '### Human: ' + message['content'] }}",
        ])
    func unknown(template: String) throws {
        for (text, reason) in [(Optional(template), "ChatML (<|im_start|>)"), (nil, "has no chat template")] {
            try model(controls: [], template: text) { model, path in
                let error = #expect(throws: LanguageModelError.self) { try ChatWrapping(of: model, path: path) }
                #expect(error?.description.contains(reason) == true)
            }
        }
    }

    @Test("A GGUF file says it in its metadata")
    func gguf() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.chat_template", .text(Self.kinds[0].template))
        try withTemporaryDirectory { directory in
            let path = "\(directory)/m.gguf"
            try Data(builder.bytes()).write(to: URL(fileURLWithPath: path))
            let wrapping = try ChatWrapping(of: ModelLoader.load(path: path), path: path)
            #expect(wrapping.style == "ChatML" && wrapping.controls.isEmpty)
        }
    }

    @Test("Control tokens stand where a piece says so; a title that spells one out stays text")
    func injection() throws {
        try model(controls: ["<|u|>", "<|e|>"], template: nil) { model, _ in
            let tokenizer = model.tokenizer
            let plain = tokenizer.encode(written: "so<|e|>so")
            #expect(!plain.contains(10))
            let ids = try tokenizer.encode([.control("<|u|>"), .written("so<|e|>"), .written("so"), .control("<|e|>")])
            #expect(ids == [9] + plain + [10])
            // What Transformers would make of the same text.
            #expect(tokenizer.encode("<|u|>so<|e|>so<|e|>") == [9, 0, 1, 10, 0, 1, 10])
            #expect(throws: LanguageModelError.unknownControlToken(token: "so")) {
                try tokenizer.encode([.control("so")])
            }
            #expect(try tokenizer.encode(prompt: [.control("<|u|>"), .written("soso")], context: 3) == [1, 0, 1])
        }
    }

    @Test(
        "Where nothing but control tokens differs, ids are the reference library's",
        arguments: ["llama3", "qwen2", "phi3"])
    func reference(name: String) throws {
        let tokenizer = try loadTokenizer(json: Fixtures.bytes("tokenizers/\(name).json"), path: name)
        let texts = ["user\nDo you like films?", "  Ünicode 映画\n\n", "", "a", " \n", "1234"]
        for text in texts {
            let pieces: [TextPiece] = [
                .control("<|im_start|>"), .written(text), .control("<|im_start|>"), .written("x"),
            ]
            #expect(try tokenizer.encode(pieces) == tokenizer.encode("<|im_start|>\(text)<|im_start|>x"), "\(text)")
        }
    }

    @Test("An answer is one token behind the end of a chat, or is refused by name")
    func answers() throws {
        try model(controls: ["<|u|>"], template: nil) { model, _ in
            let ending: [TextPiece] = [.written("so"), .control("<|u|>")]
            let tokens = try model.tokenizer.answerTokens(yes: "Yes", no: "No", behind: ending)
            #expect(tokens == AnswerTokens(yes: 6, no: 7))
            let error = #expect(throws: LanguageModelError.self) {
                try model.tokenizer.answerTokens(yes: "Yes", no: "so", behind: ending)
            }
            #expect(error?.description.contains("\"so\" cannot answer") == true)
            #expect(error?.description.contains("2 tokens") == true)
            #expect(throws: LanguageModelError.self) {
                try model.tokenizer.answerTokens(yes: "Yes", no: "Yes", behind: ending)
            }
        }
    }
}
