/// What a `tokenizer.json` says of special tokens around a text (`post_processor` of the `tokenizers` library).
struct PostProcessor {
    /// In front of every text.
    private(set) var beginning: [Int32] = []

    /// - Throws: `LanguageModelError.unsupportedCheckpoint` for a processor that does anything else than to put tokens in
    ///   front of a text, `.malformedFile` for one that contradicts itself.
    init(_ json: JSONValue?, path: String) throws {
        guard let json else { return }
        switch json["type"]?.string ?? "unknown" {
        // Moves the offsets of tokens, which nobody looks at.
        case "ByteLevel": break
        case "Sequence":
            for part in json["processors"]?.array ?? [] {
                let tokens = try PostProcessor(part, path: path).beginning
                // What a second template makes of the first one's tokens is for the library to know.
                guard beginning.isEmpty || tokens.isEmpty else {
                    throw Self.unsupported("two post-processors that add tokens", path)
                }
                beginning += tokens
            }
        case "TemplateProcessing": beginning = try Self.beginning(ofTemplate: json, path: path)
        case let type:
            throw Self.unsupported("the post-processor \(type); ByteLevel and TemplateProcessing are supported", path)
        }
    }

    private static func beginning(ofTemplate template: JSONValue, path: String) throws -> [Int32] {
        guard let pieces = template["single"]?.array else {
            throw LanguageModelError.malformedFile(path: path, reason: "the post-processor has no template")
        }
        var (beginning, textsSeen): ([Int32], Int) = ([], 0)
        for piece in pieces {
            if piece["Sequence"] != nil {
                textsSeen += 1
            } else if let name = piece["SpecialToken"]?["id"]?.string {
                guard textsSeen == 0 else {
                    throw unsupported("a post-processor that puts \(name) behind a text", path)
                }
                beginning += try ids(of: name, in: template, path: path)
            } else {
                throw LanguageModelError.malformedFile(path: path, reason: "the post-processor has an unknown piece")
            }
        }
        guard textsSeen == 1 else {
            throw unsupported("a post-processor in which a text stands \(textsSeen) times", path)
        }
        return beginning
    }

    private static func ids(of name: String, in template: JSONValue, path: String) throws -> [Int32] {
        guard let ids = template["special_tokens"]?[name]?["ids"]?.array else {
            throw LanguageModelError.malformedFile(path: path, reason: "the post-processor's \(name) has no ids")
        }
        return try ids.map { id in
            guard let id = id.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
                throw LanguageModelError.malformedFile(
                    path: path, reason: "the post-processor's \(name) has no valid id")
            }
            return id
        }
    }

    private static func unsupported(_ reason: String, _ path: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: "the tokenizer has \(reason)")
    }
}
