import Foundation

/// One step of what a tokenizer does to a text before it splits it (`normalizer` of the `tokenizers` library).
enum Normalization: Hashable, Sendable {
    /// Unicode's canonical composition (NFC).
    case composed
    /// In front of every text that is not empty.
    case prepended(String)
    /// One scalar for another: SentencePiece writes "▁" for a blank. Longer patterns are not read: repeated, they could make
    /// a text grow without bound.
    case replaced(Unicode.Scalar, by: Unicode.Scalar)

    /// SentencePiece's mark of a blank.
    static let mark: Unicode.Scalar = "\u{2581}"

    func applied(to text: Substring) -> Substring {
        switch self {
        case .composed:
            guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
            return text.precomposedStringWithCanonicalMapping[...]
        case .prepended(let prefix): return text.isEmpty ? text : (prefix + text)[...]
        case .replaced(let scalar, let replacement):
            guard text.unicodeScalars.contains(scalar) else { return text }
            var replaced = String.UnicodeScalarView()
            replaced.append(contentsOf: text.unicodeScalars.lazy.map { $0 == scalar ? replacement : $0 })
            return String(replaced)[...]
        }
    }
}

extension [Normalization] {
    func applied(to text: Substring) -> Substring {
        reduce(text) { text, step in step.applied(to: text) }
    }

    /// Far beyond any real tokenizer's: every text and every added token is written out with them.
    private static var limits: (steps: Int, prefix: Int) { (16, 64) }

    /// - Throws: `LanguageModelError.unsupportedCheckpoint` for a step of another kind.
    init(_ json: JSONValue?, path: String) throws {
        func unsupported(_ reason: String) -> LanguageModelError {
            .unsupportedCheckpoint(path: path, reason: "the tokenizer has \(reason)")
        }
        self = []
        guard let json else { return }
        switch json["type"]?.string ?? "unknown" {
        case "NFC": self = [.composed]
        case "Prepend":
            guard let prefix = json["prepend"]?.string else { throw unsupported("a normalizer Prepend of nothing") }
            guard prefix.utf8.count <= Self.limits.prefix else {
                throw unsupported("a normalizer Prepend of \(prefix.utf8.count) bytes")
            }
            self = prefix.isEmpty ? [] : [.prepended(prefix)]
        case "Replace":
            guard let pattern = json["pattern"]?["String"]?.string?.unicodeScalars, pattern.count == 1,
                let content = json["content"]?.string?.unicodeScalars, content.count == 1,
                let old = pattern.first, let new = content.first
            else { throw unsupported("a normalizer Replace of something else than one character by another") }
            self = [.replaced(old, by: new)]
        case "Sequence":
            for step in json["normalizers"]?.array ?? [] { self += try [Normalization](step, path: path) }
            guard count <= Self.limits.steps else { throw unsupported("\(count) normalizers") }
        case let type: throw unsupported("the normalizer \(type); NFC, Prepend and Replace are supported")
        }
    }
}
