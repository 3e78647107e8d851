/// What of a prompt leaves the coordinator: the text, the label and the name; neither user nor interactions.
public struct TrainingPrompt: Codable, Hashable, Sendable {
    /// `Prompt.id`.
    public var id: String
    public var instruction: String
    public var input: String
    public var label: Bool
    /// What stands around instruction and input, and the words that answer; nil: TALLRec's.
    public var frame: PromptFrame?
    /// How many bytes of the input all questions about the user begin with; nil: TALLRec's text says it itself.
    public var historyBytes: Int?
    /// The slice of its shard that the prompt's user was dealt to, from 1; nil: prompts are not dealt by user.
    public var slice: Int?

    public init(
        id: String, instruction: String, input: String, label: Bool, frame: PromptFrame? = nil,
        historyBytes: Int? = nil, slice: Int? = nil
    ) {
        self.frame = frame
        self.historyBytes = historyBytes
        self.slice = slice
        self.id = id
        self.instruction = instruction
        self.input = input
        self.label = label
    }

    public init(_ prompt: Prompt) {
        self.init(
            id: prompt.id, instruction: prompt.instruction, input: prompt.input, label: prompt.label,
            frame: prompt.frame, historyBytes: prompt.historyBytes, slice: prompt.slice)
    }

    /// The same without the question: what all prompts about one user's candidates share.
    public var historyAlone: TrainingPrompt {
        var prompt = self
        if let historyBytes {
            prompt.input = String(decoding: input.utf8.prefix(max(0, historyBytes)), as: UTF8.self)
        } else {
            prompt.input = PromptTemplate.history(ofInput: input)
        }
        return prompt
    }

    public var text: String {
        frame?.text(instruction: instruction, input: input)
            ?? PromptTemplate.text(instruction: instruction, input: input)
    }

    /// The text as a tokenizer takes it: which of it are control tokens.
    public var parts: [PromptPart] {
        frame?.parts(instruction: instruction, input: input)
            ?? [.written(PromptTemplate.text(instruction: instruction, input: input))]
    }

    /// Where the history ends, unless it is where TALLRec's text says itself.
    private var countedHistory: Int? {
        historyBytes.flatMap { $0 == PromptTemplate.history(ofInput: input).utf8.count ? nil : $0 }
    }

    /// SHA-256, in hexadecimal, of id, instruction, input and label, of the frame and of where the history ends where a
    /// template says so, and of the slice where there is one: changes when the prompt is rebuilt, and with the words that
    /// answer it.
    public var digest: String {
        FieldHash.hexadecimal(
            [id, instruction, input, label ? "1" : "0"] + (frame?.fields ?? [])
                + (countedHistory.map { ["history", String($0)] } ?? []) + (slice.map { ["slice", String($0)] } ?? []))
    }
}

/// The training data of one shard: which prompts, in which version. Sorted by id.
public struct ShardManifest: Codable, Hashable, Sendable {
    public struct Entry: Codable, Hashable, Sendable {
        public var id: String
        /// `TrainingPrompt.digest`.
        public var digest: String

        public init(id: String, digest: String) {
            self.id = id
            self.digest = digest
        }
    }

    public let entries: [Entry]

    public init(entries: [Entry]) {
        self.entries = entries.sorted { $0.id < $1.id }
    }

    public init(of prompts: some Sequence<TrainingPrompt>) {
        self.init(entries: prompts.map { Entry(id: $0.id, digest: $0.digest) })
    }

    /// `ManifestDigest` of the entries, in hexadecimal: names the data an adapter is trained from.
    ///
    /// The order does not matter, and an entry that occurs twice counts twice. Whoever keeps the sum pays for what changes
    /// only; this makes it anew.
    public var digest: String {
        var sum = ManifestDigest()
        for entry in entries { sum.add(ManifestDigest.Entry(id: entry.id, digest: entry.digest)) }
        return sum.hexadecimal
    }
}
