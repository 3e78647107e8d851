/// What an instruct model's chat template puts around a user's message, resolved to text, so that prompts can be made again
/// without the model's files.
public struct ChatMarkers: Codable, Hashable, Sendable {
    /// The kind, for people: "ChatML".
    public var style: String
    /// In front of the prompt: "<|im_start|>user\n".
    public var open: String
    /// Behind it, up to where the answer stands: "<|im_end|>\n<|im_start|>assistant\n".
    public var close: String
    /// The control tokens in `open` and `close`. Whatever else spells one out (a title, the template's own text) stays text.
    public var controls: [String]

    /// SHA-256 of all parts, in hexadecimal.
    public var digest: String { FieldHash.hexadecimal([style, open, close] + controls) }

    static let longest = 4096
    static let mostControls = 32

    public init(style: String, open: String, close: String, controls: [String]) {
        self.style = style
        self.open = open
        self.close = close
        self.controls = controls
    }

    /// - Throws: `RecommendationError.invalidTemplate`.
    func check() throws(RecommendationError) {
        let bytes = ([style, open, close] + controls).reduce(0) { $0 + $1.utf8.count }
        guard bytes <= Self.longest, controls.count <= Self.mostControls else {
            throw .invalidTemplate(
                reason: "the chat markers have \(bytes) bytes and \(controls.count) control tokens, at most "
                    + "\(Self.longest) and \(Self.mostControls) are taken")
        }
        guard !close.isEmpty, controls.allSatisfy({ !$0.isEmpty }) else {
            throw .invalidTemplate(
                reason: "the chat markers say nothing behind the prompt, or name an empty control token")
        }
        for text in [style, open, close] + controls {
            if let scalar = text.unicodeScalars.first(where: \.isRefusedInPrompts) {
                throw .invalidTemplate(reason: "the chat markers hold the control character \(scalar.codePoint)")
            }
        }
    }

    /// `open` or `close`, cut at the leftmost, longest control tokens.
    func parts(of text: String) -> [PromptPart] {
        let markers = controls.map { Array($0.utf8) }
        let bytes = Array(text.utf8)
        var parts: [PromptPart] = []
        var (start, position) = (0, 0)
        while position < bytes.count {
            let rest = bytes[position...]
            guard let marker = markers.filter({ !$0.isEmpty && rest.starts(with: $0) }).max(by: { $0.count < $1.count })
            else {
                position += 1
                continue
            }
            if start < position { parts.append(.written(String(decoding: bytes[start..<position], as: UTF8.self))) }
            parts.append(.control(String(decoding: marker, as: UTF8.self)))
            position += marker.count
            start = position
        }
        if start < bytes.count { parts.append(.written(String(decoding: bytes[start...], as: UTF8.self))) }
        return parts
    }
}

/// A piece of a prompt as a tokenizer takes it.
public enum PromptPart: Hashable, Sendable {
    /// Text in which no control token is recognised, whatever it spells out.
    case written(String)
    /// One control token of the model.
    case control(String)
}
