/// What stands around a prompt's instruction and input where that is not TALLRec's layout, and the words that answer it.
///
/// It travels with every prompt and counts in `TrainingPrompt.digest`, so that a shard's manifest names the words that its
/// adapter was trained with: other words are other prompts. In memory many prompts share one.
public struct PromptFrame: Sendable {
    private struct Parts: Codable, Hashable, Sendable {
        var before: String
        var between: String
        var after: String
        var words: AnswerWords
        var chat: ChatMarkers?
    }

    private final class Box: Sendable {
        let parts: Parts

        init(_ parts: Parts) { self.parts = parts }
    }

    private var box: Box
    private var parts: Parts {
        get { box.parts }
        set { box = Box(newValue) }
    }

    public init(before: String, between: String, after: String, words: AnswerWords, chat: ChatMarkers? = nil) {
        box = Box(Parts(before: before, between: between, after: after, words: words, chat: chat))
    }

    /// In front of the instruction.
    public var before: String {
        get { parts.before }
        set { parts.before = newValue }
    }
    /// Between instruction and input.
    public var between: String {
        get { parts.between }
        set { parts.between = newValue }
    }
    /// Behind the input.
    public var after: String {
        get { parts.after }
        set { parts.after = newValue }
    }
    public var words: AnswerWords {
        get { parts.words }
        set { parts.words = newValue }
    }
    public var chat: ChatMarkers? {
        get { parts.chat }
        set { parts.chat = newValue }
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

extension PromptFrame: Hashable {
    public static func == (left: PromptFrame, right: PromptFrame) -> Bool {
        left.box === right.box || left.parts == right.parts
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(parts) }
}

extension PromptFrame: Codable {
    public init(from decoder: any Decoder) throws { box = Box(try Parts(from: decoder)) }

    public func encode(to encoder: any Encoder) throws { try parts.encode(to: encoder) }
}
