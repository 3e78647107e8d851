/// A piece of a prompt.
public enum TextPiece: Hashable, Sendable {
    /// Text in which no control token is recognised, whatever it spells out.
    case written(String)
    /// One control token, by its text.
    case control(String)
}

extension Tokenizer {
    /// Of a tokenizer without control tokens.
    public func encode(_ pieces: [TextPiece]) throws -> [Int32] {
        try encode(
            written: pieces.map { piece in
                switch piece {
                case .written(let text): text
                case .control(let token): throw LanguageModelError.unknownControlToken(token: token)
                }
            }.joined())
    }

    public func isControl(_ token: String) -> Bool { false }

    /// A prompt as a model of this context reads it; see `encode(prompt:context:)` of texts.
    ///
    /// - Throws: `LanguageModelError.unknownControlToken`.
    public func encode(prompt pieces: [TextPiece], context: Int) throws -> [Int32] {
        let beginning = beginning.prefix(context)
        return try beginning + encode(pieces).suffix(context - beginning.count)
    }

    /// Token ids of two answers right behind a prompt's end.
    ///
    /// - Throws: `LanguageModelError.unusableAnswer` when one is not exactly one token there, or both are the same: the
    ///   probability of a part of a word says nothing of the word; `.unknownControlToken`.
    public func answerTokens(yes: String, no: String, behind ending: [TextPiece]) throws -> AnswerTokens {
        let tokens = AnswerTokens(
            yes: try answerToken(yes, behind: ending), no: try answerToken(no, behind: ending))
        guard tokens.yes != tokens.no else {
            throw LanguageModelError.unusableAnswer(
                answer: yes, reason: "is the same token as \"\(no)\"")
        }
        return tokens
    }

    private func answerToken(_ answer: String, behind ending: [TextPiece]) throws -> Int32 {
        let prompt = try encode(ending)
        let whole = try encode(ending + [.written(answer)])
        guard whole.starts(with: prompt) else {
            throw LanguageModelError.unusableAnswer(answer: answer, reason: "joins the end of the prompt")
        }
        let tokens = whole.dropFirst(prompt.count)
        guard tokens.count == 1, let token = tokens.first else {
            throw LanguageModelError.unusableAnswer(
                answer: answer, reason: "is \(tokens.count) tokens behind a prompt, not one")
        }
        return token
    }
}

/// The ids of the two tokens whose logits decide an answer.
public struct AnswerTokens: Hashable, Sendable {
    public var yes: Int32
    public var no: Int32

    public init(yes: Int32, no: Int32) {
        self.yes = yes
        self.no = no
    }
}
