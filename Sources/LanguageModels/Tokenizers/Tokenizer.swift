/// Text to token ids.
public protocol Tokenizer: Sendable {
    /// Ids of the text without any special token added in front or behind; special tokens written out in the text are
    /// recognised, as the reference tokenizer does.
    func encode(_ text: String) -> [Int32]
    /// The same for what people wrote: no control token is formed from it, and none that the model has no embedding for.
    func encode(written text: String) -> [Int32]
    /// The same for a prompt with control tokens of its own, each where it stands.
    ///
    /// - Throws: `LanguageModelError.unknownControlToken`.
    func encode(_ pieces: [TextPiece]) throws -> [Int32]
    /// Whether a text is one of the control tokens.
    func isControl(_ token: String) -> Bool
    /// Special tokens that the tokenizer's files put in front of every text, such as the one that begins a sequence. A model
    /// that was trained with one answers differently without it.
    var beginning: [Int32] { get }
    func decode(_ ids: [Int32]) -> String
    var vocabularySize: Int { get }
}

extension Tokenizer {
    /// Of a tokenizer without control tokens.
    public func encode(written text: String) -> [Int32] { encode(text) }

    public var beginning: [Int32] { [] }

    /// A prompt as a model of this context reads it: behind `beginning`, of one that is too long the end, where the question
    /// stands. So no text makes a computation fail that others take part in.
    public func encode(prompt text: String, context: Int) -> [Int32] {
        let beginning = beginning.prefix(context)
        return beginning + encode(written: text).suffix(context - beginning.count)
    }
}
