/// What one version of a prompt is told from another by: its text and label, its split, and the interactions that it shows.
///
/// A prompt in memory names its interactions by their keys, one in a ledger by the numbers of their rows.
public protocol PromptVersion {
    associatedtype Source: Equatable

    /// The same in all versions.
    var id: String { get }
    /// `TrainingPrompt.digest`
    var digest: String { get }
    var split: Split { get }
    /// The interactions shown, oldest first.
    var history: [Source] { get }
}

extension Prompt: PromptVersion {
    public var digest: String { TrainingPrompt(self).digest }
}

/// What changes when a user's prompts are computed anew. The ledger and the comparison of methods both go by it: what is
/// compared is what is done.
public struct PromptDifference<Old: PromptVersion, New: PromptVersion> where Old.Source == New.Source {
    /// One prompt before and after; both have the same id.
    public struct Change {
        public var old: Old
        public var new: New

        public init(old: Old, new: New) {
            self.old = old
            self.new = new
        }

        /// Whether the text or the label is another one. Two items may share a title, so that the same text comes from other
        /// interactions.
        public var changesText: Bool { old.digest != new.digest }

        /// Interactions of the old history that the new one lacks ÷ interactions of the old history.
        public var forgottenShare: Double {
            let kept = old.history.count { new.history.contains($0) }
            return Double(old.history.count - kept) / Double(max(old.history.count, 1))
        }
    }

    /// In the order of the old prompts.
    public let deleted: [Old]
    /// The text, the label, the interactions or the split is another one. In the order of the old prompts.
    public let rebuilt: [Change]
    /// In the order of the new prompts.
    public let added: [New]
    public let unchanged: Int

    public var isEmpty: Bool { deleted.isEmpty && rebuilt.isEmpty && added.isEmpty }

    /// No id occurs twice in a list; should it, its first prompt counts.
    public init(from old: [Old], to new: [New]) {
        guard !old.isEmpty, !new.isEmpty else {
            (deleted, rebuilt, added, unchanged) = (old, [], new, 0)
            return
        }
        let wanted = Dictionary(new.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var deleted: [Old] = []
        var rebuilt: [Change] = []
        var unchanged = 0
        for prompt in old {
            guard let replacement = wanted[prompt.id] else {
                deleted.append(prompt)
                continue
            }
            let change = Change(old: prompt, new: replacement)
            if change.changesText || prompt.split != replacement.split || prompt.history != replacement.history {
                rebuilt.append(change)
            } else {
                unchanged += 1
            }
        }
        let known = Set(old.map(\.id))
        self.deleted = deleted
        self.rebuilt = rebuilt
        self.added = new.filter { !known.contains($0.id) }
        self.unchanged = unchanged
    }
}
