import Foundation

/// What a base model's files say of chats: the template, and the names of the tokens that begin and end a text.
struct ChatTemplate {
    /// Jinja.
    let text: String
    let beginning: String?
    let end: String?

    /// - Parameter path: as `ModelLoader.load` takes it.
    /// - Throws: `LanguageModelError.unknownChatTemplate` when the files have none; what reading them throws.
    static func read(path: String) throws -> ChatTemplate {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw LanguageModelError.missingFile(path: path)
        }
        guard isDirectory.boolValue else { return try gguf(path: path) }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        if !names.contains("config.json"), let first = GGUFParts.first(of: ModelLoader.ggufs(among: names)) {
            return try gguf(path: "\(path)/\(first)")
        }
        return try huggingFace(directory: path)
    }

    private static func huggingFace(directory: String) throws -> ChatTemplate {
        let configuration = try TokenizerConfiguration(directory: directory)?.json
        let file = "\(directory)/chat_template.jinja"
        let text: String?
        if FileManager.default.fileExists(atPath: file) {
            // Transformers takes the file's word before the configuration's.
            text = try MappedFile(path: file).withBytes { String(decoding: $0, as: UTF8.self) }
        } else if let named = configuration?["chat_template"]?.array {
            text = named.first { $0["name"]?.string == "default" }?["template"]?.string
        } else {
            text = configuration?["chat_template"]?.string
        }
        guard let text, !text.isEmpty else { throw missing(directory) }
        func token(_ key: String) -> String? {
            configuration?[key]?.string ?? configuration?[key]?["content"]?.string
        }
        return ChatTemplate(text: text, beginning: token("bos_token"), end: token("eos_token"))
    }

    private static func gguf(path: String) throws -> ChatTemplate {
        let gguf = try GGUFParts(path: path).first
        guard let text = try gguf.string("tokenizer.chat_template"), !text.isEmpty else { throw missing(path) }
        let tokens = try gguf.strings("tokenizer.ggml.tokens") ?? []
        func token(_ key: String) throws -> String? {
            try gguf.integer("tokenizer.ggml.\(key)").flatMap { tokens.indices.contains($0) ? tokens[$0] : nil }
        }
        return ChatTemplate(text: text, beginning: try token("bos_token_id"), end: try token("eos_token_id"))
    }

    private static func missing(_ path: String) -> LanguageModelError {
        .unknownChatTemplate(
            path: path,
            reason:
                "it has no chat template (tokenizer_config.json, chat_template.jinja, or tokenizer.chat_template of a GGUF "
                + "file), so it is no instruct model; leave --chat-template out")
    }
}
