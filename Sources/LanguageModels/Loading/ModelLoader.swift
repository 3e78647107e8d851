import Foundation

/// Everything a base model's files hold.
public struct LoadedModel: Sendable {
    public let checkpoint: any Checkpoint
    public let tokenizer: any Tokenizer
    /// Token ids whose logits decide an answer: the last token of "Yes" and of "No".
    public let answerTokens: (yes: Int32, no: Int32)

    /// - Throws: `LanguageModelError.unsupportedCheckpoint` when the tokenizer cannot tell "Yes" from "No".
    public init(checkpoint: any Checkpoint, tokenizer: any Tokenizer, path: String) throws {
        guard let yes = tokenizer.encode("Yes").last, let no = tokenizer.encode("No").last, yes != no else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "its tokenizer does not tell \"Yes\" from \"No\"")
        }
        self.checkpoint = checkpoint
        self.tokenizer = tokenizer
        answerTokens = (yes, no)
    }
}

/// Opens base models.
public enum ModelLoader {
    /// - Parameter path: a GGUF file, or a directory that holds either a Hugging Face checkpoint (`config.json`,
    ///   `tokenizer.json`, safetensors) or exactly one `.gguf` file.
    /// - Throws: `LanguageModelError`.
    public static func load(path: String) throws -> LoadedModel {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw LanguageModelError.missingFile(path: path)
        }
        guard isDirectory.boolValue else { return try loadGGUF(path: path) }
        guard let listing = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: "the directory cannot be read")
        }
        let names = listing.sorted()
        if names.contains("config.json") { return try HuggingFaceCheckpoint.load(directory: path) }
        let ggufs = names.filter { $0.lowercased().hasSuffix(".gguf") }
        if ggufs.count == 1 { return try loadGGUF(path: "\(path)/\(ggufs[0])") }
        throw LanguageModelError.unsupportedCheckpoint(
            path: path,
            reason: ggufs.isEmpty
                ? "it holds neither a config.json nor a .gguf file"
                : "it holds \(ggufs.count) .gguf files; name one of them: \(ggufs.joined(separator: ", "))")
    }

    private static func loadGGUF(path: String) throws -> LoadedModel {
        let source = try GGUFCheckpoint(file: MappedFile(path: path))
        let configuration = try source.configuration()
        let tensors = try source.tensors(configuration)
        let tokenizer = try BytePairTokenizer(gguf: source.gguf).forPrompts(rows: configuration.vocabulary, path: path)
        let checkpoint = try StoredCheckpoint(
            configuration: configuration, tensors: tensors,
            tokenizer: tokenizer.digest(ofFile: source.tokenizerDigest()))
        return try LoadedModel(checkpoint: checkpoint, tokenizer: tokenizer, path: path)
    }
}
