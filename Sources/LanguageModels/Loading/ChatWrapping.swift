import Foundation

/// What a chat template puts around a user's only message, as text: found by the role markers of the families that are
/// known, without running the template.
///
/// A system message that a template makes up where there is none (a model's own name, a date) is left out: it would be the
/// same in every prompt, and it would change with the day.
public struct ChatWrapping: Hashable, Sendable {
    /// "ChatML"
    public var style: String
    public var open: String
    public var close: String
    /// Those markers that are control tokens of the model. The others are written as text, as in Transformers.
    public var controls: [String]

    public static let known = [
        "ChatML (<|im_start|>)", "Llama 3 (<|start_header_id|>)", "Gemma (<start_of_turn>)",
        "Phi-3 (<|user|>, <|end|>)",
        "Zephyr and TinyLlama (<|user|>, the end token)", "Llama 2 and Mistral ([INST])",
    ]

    /// - `path`: as `ModelLoader.load` takes it.
    /// - Throws: `LanguageModelError.unknownChatTemplate` where there is no template, or an unknown one.
    public init(of model: LoadedModel, path: String) throws {
        try self.init(try ChatTemplate.read(path: path), tokenizer: model.tokenizer, path: path)
    }

    init(_ template: ChatTemplate, tokenizer: any Tokenizer, path: String) throws {
        guard let form = Form(template) else {
            throw LanguageModelError.unknownChatTemplate(
                path: path,
                reason:
                    "its chat template has none of the known role markers: \(Self.known.joined(separator: ", ")); it begins \""
                    + template.text.prefix(80).map { $0.isNewline ? " " : String($0) }.joined() + "\"")
        }
        (style, open, close) = (form.style, form.open, form.close)
        var markers = form.markers
        // What the tokenizer puts in front of every text need not be written.
        if template.text.contains("bos_token"), let beginning = template.beginning, tokenizer.beginning.isEmpty {
            open = beginning + open
            markers.append(beginning)
        }
        let (open, close) = (open, close)
        controls = markers.filter { (open.contains($0) || close.contains($0)) && tokenizer.isControl($0) }
    }

    private struct Form {
        var style: String
        var open: String
        var close: String
        var markers: [String]

        init(_ style: String, open: String, close: String, markers: [String]) {
            (self.style, self.open, self.close, self.markers) = (style, open, close, markers)
        }

        /// nil: none of those that are known.
        init?(_ template: ChatTemplate) {
            let text = template.text
            // Phi-4 has the marker as well, and lays turns out otherwise.
            if text.contains("<|im_start|>"), text.contains("<|im_end|>"), !text.contains("<|im_sep|>") {
                self.init(
                    "ChatML", open: "<|im_start|>user\n", close: "<|im_end|>\n<|im_start|>assistant\n",
                    markers: ["<|im_start|>", "<|im_end|>"])
            } else if text.contains("<|start_header_id|>") {
                let (start, end, turn) = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
                self.init(
                    "Llama 3", open: "\(start)user\(end)\n\n", close: "\(turn)\(start)assistant\(end)\n\n",
                    markers: [start, end, turn])
            } else if text.contains("<start_of_turn>") {
                self.init(
                    "Gemma", open: "<start_of_turn>user\n", close: "<end_of_turn>\n<start_of_turn>model\n",
                    markers: ["<start_of_turn>", "<end_of_turn>"])
            } else if text.contains("<|user|>"), text.contains("<|end|>") {
                self.init(
                    "Phi-3", open: "<|user|>\n", close: "<|end|>\n<|assistant|>\n",
                    markers: ["<|user|>", "<|end|>", "<|assistant|>"])
            } else if let user = Self.expression(in: text, from: "<|user|>"),
                user.contains("eos_token") || user.contains("</s>")
            {
                // Others end a user's turn in a line break alone.
                let end = user.contains("eos_token") ? template.end ?? "</s>" : "</s>"
                self.init(
                    "Zephyr", open: "<|user|>\n", close: "\(end)\n<|assistant|>\n",
                    markers: ["<|user|>", "<|assistant|>", end])
            } else if text.contains("[INST]"), text.contains("[/INST]") {
                // Blanks beside the markers differ from release to release; the template's own strings have them.
                let isOpenSpaced = text.contains("[INST] ")
                let isCloseSpaced = text.contains(" [/INST]")
                self.init(
                    text.contains("<<SYS>>") ? "Llama 2" : "Mistral", open: isOpenSpaced ? "[INST] " : "[INST]",
                    close: isCloseSpaced ? " [/INST]" : "[/INST]", markers: ["[INST]", "[/INST]"])
            } else {
                return nil
            }
        }

        /// The rest of the expression in which a text first stands.
        private static func expression(in template: String, from start: String) -> Substring? {
            guard let found = template.range(of: start) else { return nil }
            let rest = template[found.upperBound...]
            return rest.range(of: "}}").map { rest[..<$0.lowerBound] }
        }
    }
}
