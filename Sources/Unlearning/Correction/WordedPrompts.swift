import LanguageModels
import Recommendation

extension TrainingPrompt {
    /// As a tokenizer takes it.
    public var pieces: [TextPiece] { parts.map(TextPiece.init) }
}

extension TextPiece {
    init(_ part: PromptPart) {
        switch part {
        case .written(let text): self = .written(text)
        case .control(let token): self = .control(token)
        }
    }
}

extension Tokenizer {
    /// A prompt as a model of this context reads it, control tokens of its frame included.
    ///
    /// - Throws: `LanguageModelError.unknownControlToken`.
    public func encode(_ prompt: TrainingPrompt, context: Int) throws -> [Int32] {
        guard prompt.frame != nil else { return encode(prompt: prompt.text, context: context) }
        return try encode(prompt: prompt.pieces, context: context)
    }

    /// Whether prompts in this frame can be read and answered.
    ///
    /// - Throws: `LanguageModelError.unusableAnswer`, `.unknownControlToken`.
    public func check(_ frame: PromptFrame) throws {
        let prompt = TrainingPrompt(id: "", instruction: "", input: "", label: false, frame: frame)
        _ = try encode(prompt.pieces)
        _ = try answerTokens(of: frame)
    }

    /// The tokens of the words that answer prompts in this frame.
    ///
    /// - Throws: `LanguageModelError.unusableAnswer`, `.unknownControlToken`.
    public func answerTokens(of frame: PromptFrame) throws -> AnswerTokens {
        try answerTokens(yes: frame.words.yes, no: frame.words.no, behind: frame.ending.map(TextPiece.init))
    }
}

extension AnswerModel {
    /// The model as it answers prompts of this frame.
    ///
    /// - Parameter frame: nil: TALLRec's, which a loaded model answers as it is.
    /// - Throws: `LanguageModelError.unusableAnswer`, `.unknownControlToken`.
    public func answering(_ frame: PromptFrame?, _ tokenizer: any Tokenizer) throws -> any AnswerModel {
        guard let frame else { return self }
        return try answering(with: tokenizer.answerTokens(of: frame))
    }

    /// The model as it answers these prompts: by their own words. Whoever trains, corrects or scores begins with this.
    ///
    /// - Throws: `UnlearningError.differentWords` where they have several; `LanguageModelError.unusableAnswer`,
    ///   `.unknownControlToken`.
    public func answering(
        _ prompts: some Sequence<TrainingPrompt>, _ tokenizer: any Tokenizer
    ) throws -> any AnswerModel {
        var first: TrainingPrompt?
        for prompt in prompts {
            guard let known = first else {
                first = prompt
                continue
            }
            guard prompt.frame == known.frame else {
                throw UnlearningError.differentWords(sample: prompt.id, other: known.id)
            }
        }
        return try answering(first?.frame, tokenizer)
    }
}
