import Foundation

/// Which part of the data a prompt belongs to.
public enum Split: String, Codable, CaseIterable, Hashable, Sendable {
    case train, validation, test
}

/// One labelled prompt together with the interactions it was made from.
///
/// A prompt is a pure function of its user's retained interactions, the catalogue and the prompt configuration.
public struct Prompt: Codable, Hashable, Sendable {
    /// SHA-256, in hexadecimal, of the target interaction's key: names the prompt for as long as its target is retained,
    /// also when its history changes.
    public var id: String
    public var user: String
    public var split: Split
    /// The interaction that is asked about; never part of the text but for its item.
    public var target: InteractionKey
    /// The interactions shown, oldest first.
    public var history: [InteractionKey]
    public var instruction: String
    public var input: String
    /// True: "Yes."; false: "No."; or what the frame's words say.
    public var label: Bool
    /// What stands around instruction and input; nil: TALLRec's layout and words.
    public var frame: PromptFrame?
    /// How many bytes of the input all questions about the user begin with; nil: TALLRec's text says it itself.
    public var historyBytes: Int?
    /// The slice of its shard that the user was dealt to, from 1; nil: prompts are not dealt by user.
    public var slice: Int?
    /// The target is no interaction but a negative that an import drew, and belongs to this one; nil: it is one of the user's.
    public var sampledFor: InteractionKey?

    public init(
        id: String, user: String, split: Split, target: InteractionKey, history: [InteractionKey], instruction: String,
        input: String, label: Bool, frame: PromptFrame? = nil,
        historyBytes: Int? = nil, sampledFor: InteractionKey? = nil
    ) {
        self.frame = frame
        self.historyBytes = historyBytes
        self.sampledFor = sampledFor
        self.id = id
        self.user = user
        self.split = split
        self.target = target
        self.history = history
        self.instruction = instruction
        self.input = input
        self.label = label
    }

    /// "Yes." or "No.", or the frame's word as it stands behind the prompt.
    public var output: String {
        if let words = frame?.words { return label ? words.yes : words.no }
        return label ? "Yes." : "No."
    }
    /// The user's interaction that it is about, by itself or through what was drawn for it.
    public var source: InteractionKey { sampledFor ?? target }
    /// The text that the model reads, up to the answer position.
    public var text: String { TrainingPrompt(self).text }
}

/// The Alpaca layout that TALLRec uses (arXiv 2305.00447).
public enum PromptTemplate {
    public static let header =
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        + "Write a response that appropriately completes the request.\n\n"

    static let before = header + "### Instruction:\n"
    static let between = "\n\n### Input:\n"
    static let after = "\n\n### Response:\n"

    /// How the question about the target begins; the target's kind and title follow.
    static let question = "Whether the user will like the target "

    /// The input up to the question.
    static func history(ofInput input: String) -> String {
        input.range(of: "\n" + question, options: .backwards).map { String(input[..<$0.lowerBound]) } ?? input
    }

    public static func text(instruction: String, input: String) -> String {
        before + instruction + between + input + after
    }
}
