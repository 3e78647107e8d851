/// A template as prompts are put together from it: parsed once, the noun filled in.
struct PromptPieces: Sendable {
    enum Piece: Hashable, Sendable {
        case text([UInt8])
        case liked, disliked, target
    }

    let instruction: String
    let history: [Piece]
    /// Between history and question.
    let glue: [UInt8]
    let question: [Piece]
    let quotes: (open: [UInt8], close: [UInt8])
    let separator: [UInt8]
    let empty: [UInt8]
    let item: ItemForm
    /// nil: TALLRec's.
    let frame: PromptFrame?
    /// Where a history ends in an input is counted; that of TALLRec's text is found by its words.
    let countsHistory: Bool

    /// - Parameter template: nil: TALLRec's.
    /// - Throws: `RecommendationError.invalidTemplate`.
    init(_ template: PromptWording?, noun: PromptNoun, chat: ChatMarkers?) throws(RecommendationError) {
        let wording = template ?? .tallrec
        countsHistory = template != nil
        try wording.checkTexts()
        try chat?.check()
        let nouns = ["noun": noun.singular, "nouns": noun.plural]
        let known = ["noun", "nouns"]
        let instruction = try TemplateText(wording.instruction, part: "instruction", known: known)
        let history = try TemplateText(wording.history, part: "history", known: known + ["liked", "disliked"])
        guard history.count(of: "liked") + history.count(of: "disliked") > 0 else {
            throw .invalidTemplate(
                reason: "\"history\" has neither {liked} nor {disliked}: a prompt would say nothing of the person")
        }
        let question = try TemplateText(wording.question, part: "question", known: known + ["target"])
        guard question.count(of: "target") > 0 else {
            throw .invalidTemplate(reason: "\"question\" lacks {target}: nothing would say which item is asked about")
        }
        self.history = Self.pieces(history, nouns)
        self.question = Self.pieces(question, nouns)
        item = try ItemForm(wording.item)
        quotes = (Array(wording.quotes[0].utf8), Array(wording.quotes[1].utf8))
        (separator, empty) = (Array(wording.separator.utf8), Array(wording.empty.utf8))
        let layout = try Self.layout(wording.layout, nouns)
        let isUsual = wording.instruction == PromptWording.tallrec.instruction
        guard !layout.hasInstruction || wording.words == .english || !isUsual else {
            throw .invalidTemplate(
                reason: "the usual \"instruction\" asks for \"Yes.\" or \"No.\", which are not the answers here; "
                    + "write another")
        }
        self.instruction = layout.hasInstruction ? instruction.text(nouns) : ""
        glue = Array(layout.glue.utf8)
        let after = layout.after
        guard !after.isEmpty || chat != nil else {
            throw .invalidTemplate(
                reason:
                    "\"layout\" has nothing behind {question}: an answer stands behind a text that is always the same")
        }
        if layout.before == PromptTemplate.before, layout.between == PromptTemplate.between,
            after == PromptTemplate.after, wording.words == .english, chat == nil
        {
            frame = nil
        } else {
            frame = PromptFrame(
                before: layout.before, between: layout.between, after: after, words: wording.words, chat: chat)
        }
    }

    private struct Layout {
        var before: String
        var hasInstruction: Bool
        var between: String
        var glue: String
        var after: String
    }

    private static func layout(_ text: String, _ nouns: [String: String]) throws(RecommendationError) -> Layout {
        let layout = try TemplateText(
            text, part: "layout", known: ["noun", "nouns", "instruction", "history", "question"])
        for name in ["history", "question"] where layout.count(of: name) != 1 {
            throw .invalidTemplate(
                reason: "\"layout\" has {\(name)} \(layout.count(of: name)) times; it must stand there once")
        }
        guard layout.count(of: "instruction") <= 1 else {
            throw .invalidTemplate(reason: "\"layout\" has {instruction} more than once")
        }
        guard let history = layout.position(of: "history"), let question = layout.position(of: "question"),
            history < question, layout.position(of: "instruction").map({ $0 < history }) ?? true
        else {
            throw .invalidTemplate(
                reason:
                    "\"layout\" must have {instruction}, {history} and {question} in this order: what all questions "
                    + "about a person share comes first")
        }
        let pieces = layout.pieces
        func joined(_ range: Range<Int>) -> String { TemplateText.text(pieces[range], nouns) }
        let instruction = layout.position(of: "instruction")
        return Layout(
            before: instruction.map { joined(0..<$0) } ?? "", hasInstruction: instruction != nil,
            between: joined((instruction.map { $0 + 1 } ?? 0)..<history),
            glue: joined((history + 1)..<question), after: joined((question + 1)..<pieces.count)
        )
    }

    private static func pieces(_ text: TemplateText, _ nouns: [String: String]) -> [Piece] {
        text.pieces.map { piece in
            switch piece {
            case .text(let text): .text(Array(text.utf8))
            case .placeholder("liked"): .liked
            case .placeholder("disliked"): .disliked
            case .placeholder("target"): .target
            case .placeholder(let name): .text(Array((nouns[name] ?? "").utf8))
            }
        }
    }
}
