import Foundation

/// Everything a base model's files hold.
public struct LoadedModel: Sendable {
    public let checkpoint: any Checkpoint
    public let tokenizer: any Tokenizer
    /// Token ids whose logits decide an answer: those of "Yes" and of "No" behind a prompt.
    public let answerTokens: (yes: Int32, no: Int32)
    /// What its user should know and may put right, a sentence each.
    public let warnings: [String]

    /// The end of every prompt, behind which the answer stands (TALLRec's, arXiv 2305.00447).
    public static let endOfPrompts = "### Response:\n"

    /// - Throws: `LanguageModelError.unsupportedCheckpoint` when an answer is not one token behind a prompt: the probability of
    ///   a part of a word says nothing of the word.
    public init(checkpoint: any Checkpoint, tokenizer: any Tokenizer, path: String, warnings: [String] = []) throws {
        self.checkpoint = checkpoint
        self.tokenizer = tokenizer
        self.warnings = warnings
        do {
            let tokens = try tokenizer.answerTokens(yes: "Yes", no: "No", behind: [.written(Self.endOfPrompts)])
            answerTokens = (tokens.yes, tokens.no)
        } catch LanguageModelError.unusableAnswer(let answer, let reason) {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "in its tokenizer the answer \"\(answer)\" \(reason)")
        }
    }
}

/// Opens base models.
public enum ModelLoader {
    /// - Parameter path: a GGUF file, or a directory that holds either a Hugging Face checkpoint (`config.json`,
    ///   `tokenizer.json`, safetensors) or exactly one model in `.gguf` files. Of a model in several parts, the first.
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
        let ggufs = ggufs(among: names)
        if let first = GGUFParts.first(of: ggufs) { return try loadGGUF(path: "\(path)/\(first)") }
        throw LanguageModelError.unsupportedCheckpoint(
            path: path,
            reason: ggufs.isEmpty
                ? "it holds neither a config.json nor a .gguf file"
                : "it holds \(ggufs.count) .gguf files; name one of them: \(ggufs.joined(separator: ", "))")
    }

    /// The files of a directory that are taken for GGUF's.
    static func ggufs(among names: [String]) -> [String] { names.filter { $0.lowercased().hasSuffix(".gguf") } }

    private static func loadGGUF(path: String) throws -> LoadedModel {
        let source = try GGUFCheckpoint(path: path)
        let configuration = try source.configuration()
        let tensors = try source.tensors(configuration)
        let tokenizer = try BytePairTokenizer(gguf: source.gguf).forPrompts(rows: configuration.vocabulary, path: path)
        let checkpoint = try StoredCheckpoint(
            configuration: configuration, tensors: tensors,
            tokenizer: tokenizer.digest(ofFile: source.tokenizerDigest()))
        return try LoadedModel(checkpoint: checkpoint, tokenizer: tokenizer, path: path)
    }
}
