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
    public let deleted: [Prompt]
    /// The text, the label, the interactions or the split is another one. Sorted by id.
    public let rebuilt: [Change]
    /// Sorted by id.
    public let added: [Prompt]
    public let unchanged: Int

    public var isEmpty: Bool { deleted.isEmpty && rebuilt.isEmpty && added.isEmpty }

    /// The order of neither list matters. Should an id occur twice in a list, its last prompt counts.
    public init(from old: [Prompt], to new: [Prompt]) {
        let before = Dictionary(old.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let after = Dictionary(new.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        var deleted: [Prompt] = []
        var rebuilt: [Change] = []
        var unchanged = 0
        for (id, prompt) in before.sorted(by: { $0.key < $1.key }) {
            switch after[id] {
            case nil: deleted.append(prompt)
            case prompt: unchanged += 1
            case let replacement?: rebuilt.append(Change(old: prompt, new: replacement))
            }
        }
        self.deleted = deleted
        self.rebuilt = rebuilt
        self.added = after.values.filter { before[$0.id] == nil }.sorted { $0.id < $1.id }
        self.unchanged = unchanged
    }
}
