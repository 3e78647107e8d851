/// The frozen weights of a decoder, whatever file they come from.
///
/// Names and layouts are those of Hugging Face Llama checkpoints ("model.layers.0.self_attn.q_proj.weight",
/// `[outputs, inputs]` row-major); readers of other formats translate, including llama.cpp's permutation of the rows of
/// q and k. `lm_head.weight` is absent when the embeddings are tied.
public protocol Checkpoint: Sendable {
    var configuration: ModelConfiguration { get }
    /// SHA-256, in hexadecimal, of everything that determines the model's function: the configuration, the tokenizer and
    /// every used tensor's name, shape and values, in the order of the names.
    ///
    /// Values and tokenizer are hashed as they are stored, so that it takes a fraction of a second: sharded or not, in
    /// whatever order, the same stored content has the same digest, but the same values in another encoding or file format
    /// do not.
    var digest: String { get }
    /// nil when there is no such tensor.
    func shape(of name: String) -> [Int]?
    /// The tensor's values as 32-bit floats, row-major.
    func floats(of name: String) throws -> [Float]
}

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
