import LanguageModels
import Recommendation

/// A training prompt as the model reads it.
package struct TokenizedPrompt {
    package var id: String
    /// `TrainingPrompt.digest`.
    package var digest: String
    package var tokens: [Int32]
    package var label: Bool

    /// - Throws: `UnlearningError.emptyPrompt`.
    package init(_ prompt: TrainingPrompt, tokenizer: any Tokenizer, limit: Int) throws {
        let tokens = try tokenizer.encode(prompt, context: limit)
        guard !tokens.isEmpty else { throw UnlearningError.emptyPrompt(sample: prompt.id) }
        id = prompt.id
        digest = prompt.digest
        self.tokens = tokens
        label = prompt.label
    }

    /// Sorted by id, so that no result depends on the order of the argument.
    ///
    /// - Throws: `UnlearningError.duplicateSample`, `.emptyPrompt`.
    package static func all(_ prompts: [TrainingPrompt], tokenizer: any Tokenizer, limit: Int) throws
        -> [TokenizedPrompt]
    {
        let sorted = prompts.sorted { $0.id < $1.id }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.id == next.id {
            throw UnlearningError.duplicateSample(id: one.id)
        }
        return try sorted.map { try TokenizedPrompt($0, tokenizer: tokenizer, limit: limit) }
    }
}

extension Sequence<TokenizedPrompt> {
    package var tokenCount: Int { reduce(0) { $0 + $1.tokens.count } }
}
