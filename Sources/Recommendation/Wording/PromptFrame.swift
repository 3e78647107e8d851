/// What stands around a prompt's instruction and input where that is not TALLRec's layout, and the words that answer it.
///
/// It travels with every prompt and counts in `TrainingPrompt.digest`, so that a shard's manifest names the words that its
/// adapter was trained with: other words are other prompts.
public struct PromptFrame: Codable, Hashable, Sendable {
    /// In front of the instruction.
    public var before: String
    /// Between instruction and input.
    public var between: String
    /// Behind the input.
    public var after: String
    public var words: AnswerWords
    public var chat: ChatMarkers?

    public init(before: String, between: String, after: String, words: AnswerWords, chat: ChatMarkers? = nil) {
        self.before = before
        self.between = between
        self.after = after
        self.words = words
        self.chat = chat
    }

    func text(instruction: String, input: String) -> String {
        (chat?.open ?? "") + before + instruction + between + input + after + (chat?.close ?? "")
    }

    func parts(instruction: String, input: String) -> [PromptPart] {
        (chat.map { $0.parts(of: $0.open) } ?? []) + [.written(before + instruction + between + input + after)]
            + (chat.map { $0.parts(of: $0.close) } ?? [])
    }

    /// What all prompts end in, behind which the answer stands.
    public var ending: [PromptPart] { [.written(after)] + (chat.map { $0.parts(of: $0.close) } ?? []) }

    /// For a digest: no two frames have the same.
    var fields: [String] {
        ["frame", before, between, after, words.yes, words.no]
            + (chat.map { ["chat", $0.open, $0.close] + $0.controls } ?? [])
    }
}
