/// What is recommended, as texts call one and several of it: in any language.
///
/// Written as one noun where it stands for both ("lamp"), or as two with a colon between ("lamp:lamps").
public struct PromptNoun: Hashable, Sendable {
    public let singular: String
    public let plural: String

    public static let movie = PromptNoun(singular: "movie", plural: "movies")
    public static let book = PromptNoun(singular: "book", plural: "books")
    /// Those whose plural need not be said.
    private static let known = [movie, book]
    /// Characters of one noun.
    public static let longest = 64

    private init(singular: String, plural: String) {
        self.singular = singular
        self.plural = plural
    }

    /// - Throws: `RecommendationError.invalidTemplate` for a noun that is empty, longer than 64 characters, or holds a line
    ///   break or another control character; for more than one colon.
    public init(parsing text: String) throws(RecommendationError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else {
            throw .invalidTemplate(
                reason: "the domain \"\(text.prefix(80))\" has more than one colon: lamp, or lamp:lamps")
        }
        for noun in parts { try Self.check(noun) }
        guard parts.count == 1 else {
            self.init(singular: parts[0], plural: parts[1])
            return
        }
        self = Self.known.first { $0.singular == text } ?? PromptNoun(singular: text, plural: text)
    }

    private static func check(_ noun: String) throws(RecommendationError) {
        guard !noun.allSatisfy(\.isWhitespace) else {
            throw .invalidTemplate(reason: "the domain is empty: name what is recommended, as in lamp, or lamp:lamps")
        }
        guard noun.count <= longest, noun.utf8.count <= 16 * longest else {
            throw .invalidTemplate(
                reason: "the domain \"\(noun.prefix(20))…\" has \(noun.count) characters, at most \(longest) are taken")
        }
        if let scalar = noun.unicodeScalars.first(where: { $0.isRefusedInPrompts || $0 == "\n" || $0 == "\t" }) {
            throw .invalidTemplate(reason: "the domain holds the control character \(scalar.codePoint)")
        }
    }

    /// As it is written.
    public var text: String {
        let usual = Self.known.first { $0.singular == singular }?.plural ?? singular
        return plural == usual ? singular : "\(singular):\(plural)"
    }
}

extension PromptNoun: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do {
            try self.init(parsing: text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension Unicode.Scalar {
    /// Control characters but line breaks and tabs, line and paragraph separators, byte order marks: no prompt needs them.
    var isRefusedInPrompts: Bool {
        switch properties.generalCategory {
        case .control: self != "\n" && self != "\t"
        case .lineSeparator, .paragraphSeparator: true
        default: self == "\u{FEFF}"
        }
    }

    /// "U+0007"
    var codePoint: String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
