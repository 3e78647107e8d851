import Foundation

/// What a `tokenizer_config.json` says of special tokens around a text, beside the `tokenizer.json` that it belongs to.
///
/// Transformers' classes for Llama's tokenizers make the post-processor anew by `add_bos_token` (true where the file does not
/// say) and `add_eos_token`; those for others leave it as it is.
struct TokenizerConfiguration {
    private static let rebuilding: Set = [
        "LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast",
    ]

    let json: JSONValue
    let path: String

    /// nil: there is no such file.
    init?(directory: String) throws {
        path = "\(directory)/tokenizer_config.json"
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let file = try MappedFile(path: path)
        json = try file.withBytes { [path] in try JSONParser.parse($0, path: path) }
    }

    /// - Parameter tokenizer: what stands in front of a text by `tokenizer.json` alone.
    /// - Throws: `LanguageModelError.unsupportedCheckpoint` where the two files contradict each other, or where something is
    ///   put behind a text.
    func beginning(_ tokenizer: BytePairTokenizer) throws -> [Int32] {
        if json["add_eos_token"]?.bool == true {
            throw unsupported("asks for a token behind every text (add_eos_token)")
        }
        let isAsked = json["add_bos_token"]?.bool
        let isPrefixed = json["add_prefix_space"]?.bool
        if let isPrefixed, isPrefixed != tokenizer.isPrefixed, Self.rebuilding.contains(tokenizerClass) {
            throw unsupported(
                "says add_prefix_space \(isPrefixed), and tokenizer.json " + (isPrefixed ? "adds no blank" : "adds one")
            )
        }
        guard Self.rebuilding.contains(tokenizerClass) else {
            guard let isAsked, isAsked == tokenizer.beginning.isEmpty else { return tokenizer.beginning }
            throw unsupported(
                "says add_bos_token \(isAsked), and the post-processor of tokenizer.json adds "
                    + (isAsked ? "no token" : "one"))
        }
        guard isAsked ?? true else { return [] }
        guard let name = json["bos_token"]?.string ?? json["bos_token"]?["content"]?.string else {
            throw unsupported("asks for a token in front of every text and has no bos_token")
        }
        guard let id = tokenizer.spelling.tokens.firstIndex(of: name) else {
            throw unsupported("has the bos_token \(name), which the tokenizer does not know")
        }
        return [Int32(id)]
    }

    private var tokenizerClass: String { json["tokenizer_class"]?.string ?? "" }

    private func unsupported(_ reason: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: "it " + reason)
    }
}
