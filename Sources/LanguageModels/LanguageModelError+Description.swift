extension LanguageModelError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedCheckpoint(let path, let reason): "\(path) is not a base model that can be read: \(reason)"
        case .malformedFile(let path, let reason): "\(path) is damaged: \(reason)"
        case .missingFile(let path): "there is no \(path)"
        case .missingTensor(let name): "the model has no tensor \(name)"
        case .wrongShape(let name, let expected, let found): "\(name) has the shape \(found), not \(expected)"
        case .missingTokenizer(let path): "\(path) holds no tokenizer (tokenizer.json, or the tokens in the GGUF file)"
        case .promptTooLong(let index, let tokens, let limit):
            "prompt \(index) has \(tokens) tokens, more than the model's context of \(limit)"
        case .emptyPrompt(let index): "prompt \(index) has no tokens"
        case .tokenOutOfRange(let index, let token): "prompt \(index) holds the token \(token), which the model lacks"
        case .adapterMismatch(let reason): "the adapter does not fit: \(reason)"
        case .weightsNotFinite(let tensors):
            "the base model's weights hold values that are no finite numbers: "
                + tensors.prefix(8).map { "\($0.name) (\($0.values))" }.joined(separator: ", ")
                + (tensors.count > 8 ? " and \(tensors.count - 8) more tensors" : "") + "; fetch or convert it again"
        case .unusableAnswer(let answer, let reason):
            "\"\(answer)\" cannot answer with this base model: it \(reason); choose words that are one token each (lethe import "
                + "--template), mind the blank in front"
        case .unknownControlToken(let token): "the base model's tokenizer has no control token \(token)"
        case .unknownChatTemplate(let path, let reason): "\(path): \(reason)"
        case .notFinite(let name): "\(name) holds a value that is not finite"
        }
    }
}
