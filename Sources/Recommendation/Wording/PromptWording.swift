/// A prompt's words as a template: recorded with the data, because they decide every prompt and so every adapter.
///
/// Whatever a template file leaves out is as in TALLRec's text (`tallrec`).
public struct PromptWording: Codable, Hashable, Sendable {
    /// The whole: `{instruction}` (may be missing), then `{history}`, then `{question}`, each once, and something behind it.
    public var layout: String
    /// With `{noun}` and `{nouns}`, as all parts.
    public var instruction: String
    /// What all questions about a person share: with `{liked}`, `{disliked}` or both.
    public var history: String
    /// What is asked: with `{target}`.
    public var question: String
    /// What an item is called: `{title}` and the item's fields, `{title}[ ({year})]`. What stands in square brackets is left
    /// out where a field in it is absent.
    public var item: String
    /// In front of and behind each item.
    public var quotes: [String]
    /// Between the items of a list.
    public var separator: String
    /// In the place of a list without items.
    public var empty: String
    public var yes: String
    public var no: String

    /// The words of the benchmark (arXiv 2305.00447).
    public static let tallrec = PromptWording(
        layout: PromptTemplate.header
            + "### Instruction:\n{instruction}\n\n### Input:\n{history}\n{question}\n\n### Response:\n",
        instruction:
            "Given the user's preference and unpreference, identify whether the user will like the target {noun} "
            + "by answering \"Yes.\" or \"No.\".",
        history: "User Preference: {liked}\nUser Unpreference: {disliked}",
        question: "Whether the user will like the target {noun} {target}?", item: "{title}", quotes: ["\"", "\""],
        separator: ", ", empty: "", yes: AnswerWords.english.yes, no: AnswerWords.english.no)

    public init(
        layout: String, instruction: String, history: String, question: String, item: String, quotes: [String],
        separator: String, empty: String, yes: String, no: String
    ) {
        self.layout = layout
        self.instruction = instruction
        self.history = history
        self.question = question
        self.item = item
        self.quotes = quotes
        self.separator = separator
        self.empty = empty
        self.yes = yes
        self.no = no
    }

    /// SHA-256 of all parts, in hexadecimal.
    public var digest: String {
        FieldHash.hexadecimal(
            [layout, instruction, history, question, item, separator, empty, yes, no] + quotes)
    }

    public var words: AnswerWords { AnswerWords(yes: yes, no: no) }

    /// Bytes of UTF-8 of one part, and of what stands with every item.
    static let longestPart = 16_384
    static let longestMark = 256

    /// - Throws: `RecommendationError.invalidTemplate`.
    func checkTexts() throws(RecommendationError) {
        try words.check()
        guard quotes.count == 2 else {
            throw .invalidTemplate(
                reason: "\"quotes\" must be two texts: what stands in front of an item, and behind it")
        }
        let parts = [
            ("layout", layout), ("instruction", instruction), ("history", history), ("question", question),
            ("item", item),
        ]
        let marks = [("quotes", quotes[0]), ("quotes", quotes[1]), ("separator", separator), ("empty", empty)]
        for (texts, limit) in [(parts, Self.longestPart), (marks, Self.longestMark)] {
            for (name, text) in texts {
                guard text.utf8.count <= limit else {
                    throw .invalidTemplate(
                        reason: "\"\(name)\" has \(text.utf8.count) bytes, at most \(limit) are taken")
                }
                if let scalar = text.unicodeScalars.first(where: \.isRefusedInPrompts) {
                    throw .invalidTemplate(reason: "\"\(name)\" holds the control character \(scalar.codePoint)")
                }
            }
        }
    }
}
