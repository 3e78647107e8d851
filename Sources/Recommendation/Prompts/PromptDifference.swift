/// What changes when a user's prompts are computed anew.
public struct PromptDifference: Codable, Hashable, Sendable {
    /// One prompt before and after; both have the same id.
    public struct Change: Codable, Hashable, Sendable {
        public var old: Prompt
        public var new: Prompt

        public init(old: Prompt, new: Prompt) {
            self.old = old
            self.new = new
        }
    }

    /// Sorted by id.
    public var deleted: [Prompt]
    /// The text, label, history or split is another one. Sorted by id.
    public var rebuilt: [Change]
    /// Sorted by id.
    public var added: [Prompt]
    public var unchanged: Int

    /// The order of neither list matters; ids within a list must differ.
    public init(from old: [Prompt], to new: [Prompt]) {
        deleted = []
        rebuilt = []
        added = []
        unchanged = 0
    }
}
