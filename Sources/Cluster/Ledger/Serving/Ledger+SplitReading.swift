import Recommendation

/// A person's prompts of one split.
package struct SplitPart: Sendable {
    package struct Prompt: Sendable {
        package var digest: String
        package var label: Bool
    }

    var appearance: Person.Appearance
    var name: String
    package var prompts: [Prompt]

    /// Everybody's, in the order of `Ledger.prompts(split:)`.
    package static func inOrder(_ parts: [SplitPart?]) -> [Prompt] {
        parts.compactMap(\.self).sorted { one, other in
            (one.appearance.import, one.appearance.ordinal, one.name)
                < (other.appearance.import, other.appearance.ordinal, other.name)
        }.flatMap(\.prompts)
    }
}

extension Ledger {
    /// Everybody's training prompts (`goOn`).
    package func trainingPromptsReading() -> PeopleReading<[TrainingPrompt]> {
        PeopleReading { known, context in
            try context.prompts(of: known.person, shard: known.shard).filter { $0.prompt.split == .train }.map(\.sample)
        }
    }

    /// Everybody's prompts of a split (`goOn`), handed out; nil: somebody has none.
    package func reading(of split: Split) -> PeopleReading<SplitPart?> {
        PeopleReading { [unowned self] known, context in
            let prompts = try context.prompts(of: known.person, shard: known.shard).filter { $0.prompt.split == split }
            guard !prompts.isEmpty else { return nil }
            for prompt in prompts { places.note(prompt.digest, of: known.id) }
            return SplitPart(
                appearance: known.person.appearance, name: known.person.name,
                prompts: prompts.map { SplitPart.Prompt(digest: $0.digest, label: $0.prompt.label) })
        }
    }
}
