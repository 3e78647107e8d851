/// What can go wrong with model files and prompts. Every message says what was found and where.
public enum LanguageModelError: Error, Hashable, Sendable {
    /// The path is no checkpoint this package can read.
    case unsupportedCheckpoint(path: String, reason: String)
    /// A file contradicts itself: lengths beyond its end, overlapping tensors, an absurd header.
    case malformedFile(path: String, reason: String)
    case missingFile(path: String)
    case missingTensor(name: String)
    case wrongShape(name: String, expected: [Int], found: [Int])
    case missingTokenizer(path: String)
    case promptTooLong(index: Int, tokens: Int, limit: Int)
    case emptyPrompt(index: Int)
    case tokenOutOfRange(index: Int, token: Int32)
    case adapterMismatch(reason: String)
    /// A word that is to answer is not one token behind a prompt.
    case unusableAnswer(answer: String, reason: String)
    /// A prompt is to hold a control token that the tokenizer lacks.
    case unknownControlToken(token: String)
    /// What chat templates say that are none of the known ones, or that are not there.
    case unknownChatTemplate(path: String, reason: String)
    /// A tensor holds a NaN or an infinity.
    case notFinite(name: String)
    /// The base model itself does.
    case weightsNotFinite(tensors: [NonFiniteTensor])
}
