/// The two words between which a model decides, as they stand right behind a prompt: blanks in front count.
///
/// Each must be one token there; what the tokenizer of a model makes of them is for `LanguageModels` to say.
public struct AnswerWords: Codable, Hashable, Sendable {
    public var yes: String
    public var no: String

    public static let english = AnswerWords(yes: "Yes", no: "No")
    /// Bytes of UTF-8 of one word.
    static let longest = 64

    public init(yes: String, no: String) {
        self.yes = yes
        self.no = no
    }

    /// - Throws: `RecommendationError.invalidTemplate`.
    func check() throws(RecommendationError) {
        for (key, word) in [("yes", yes), ("no", no)] {
            guard !word.allSatisfy(\.isWhitespace) else {
                throw .invalidTemplate(reason: "the answer word \"\(key)\" is empty")
            }
            guard word.utf8.count <= Self.longest else {
                throw .invalidTemplate(
                    reason: "the answer word \"\(key)\" has \(word.utf8.count) bytes, at most \(Self.longest) are taken"
                )
            }
            if let scalar = word.unicodeScalars.first(where: { $0.isRefusedInPrompts || $0 == "\n" || $0 == "\t" }) {
                throw .invalidTemplate(
                    reason: "the answer word \"\(key)\" holds the control character \(scalar.codePoint)")
            }
        }
        guard yes.withoutBlanks != no.withoutBlanks else {
            throw .invalidTemplate(reason: "the answer words are equal: \"\(yes)\" and \"\(no)\"")
        }
    }
}

extension String {
    /// Without white space at either end.
    var withoutBlanks: Substring {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map(index(after:)) ?? endIndex
        return start < end ? self[start..<end] : ""
    }
}
