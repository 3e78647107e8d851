import Files

/// Makes prompts from one user's interactions: a pure function of these, the titles and the configuration.
///
/// The layout is TALLRec's (arXiv 2305.00447), or the configuration's template. A user's interactions are sorted by time, those that share a timestamp by
/// their order in the file. Every interaction with `historyLength` others before it can be a target; the history is the
/// `historyLength` interactions right before it. An interaction whose item has no title is treated as absent.
///
/// - leave-last: the user's last interaction is the test target, the one before it the validation target, every earlier
///   one a training target; a target with fewer than `historyLength` interactions before it makes no prompt. So a user
///   with `historyLength` interactions or fewer has no prompt, one with `historyLength + 1` only a test prompt. When the
///   last interaction is forgotten, the one before it becomes the test target, and so on.
/// - tallrec: the targets and their splits are those recorded at import (`TallrecSplit`). A recorded target that is left
///   with fewer than `historyLength` interactions before it makes no prompt.
///
/// A negative that an import drew for one of the interactions (`NegativePool`) is a target with the answer "No." and the history
/// and split of that interaction's own prompt, where that is a like and has a prompt. It stands in no history, and as soon as the
/// user has an interaction with the item, there is no prompt for it.
///
/// Titles that take more than `titleBytes` together are shortened: `TitleBudget`.
///
/// Sampling keeps a prompt when the hash of seed, split and prompt id lies below the split's fraction: it depends on
/// nobody else's data.
public struct PromptBuilder: Sendable {
    public let configuration: PromptConfiguration
    let pieces: PromptPieces

    /// - Throws: `RecommendationError.invalidConfiguration` when the history length is not positive, a fraction is
    ///   outside 0...1 or a number is not finite; `.invalidTemplate`.
    public init(configuration: PromptConfiguration) throws {
        guard PromptConfiguration.historyBounds.contains(configuration.historyLength) else {
            throw RecommendationError.invalidConfiguration(reason: "the history length must be from 1 to 1000")
        }
        guard PromptConfiguration.titleByteBounds.contains(configuration.titleBytes) else {
            throw RecommendationError.invalidConfiguration(
                reason: "the bytes for a prompt's titles must be from 64 to 1000000")
        }
        guard configuration.likeAbove.isFinite else {
            throw RecommendationError.invalidConfiguration(
                reason: "the rating above which items are liked must be finite")
        }
        for split in Split.allCases where !(0...1).contains(configuration.fraction(of: split)) {
            throw RecommendationError.invalidConfiguration(
                reason: "the \(split.rawValue) fraction \(configuration.fraction(of: split)) is outside 0...1")
        }
        self.configuration = configuration
        pieces = try PromptPieces(
            configuration.template, noun: configuration.domain, chat: configuration.chat)
    }

    /// What stands around all prompts, and the words that answer them; nil: TALLRec's.
    public var frame: PromptFrame? { pieces.frame }

    /// What prompts call an item: `titles` below are such texts. The title itself unless the template shows fields.
    public func name(title: String, fields: [String: String]?) -> String {
        pieces.item.text(title: title, fields: fields ?? [:])
    }

    /// All prompts of one user, oldest target first, after sampling.
    ///
    /// - `interactions`: the user's retained interactions, in any order; those of other users are ignored.
    /// - `titles`: what prompts call an item (`name`), nil when the catalogue does not have it.
    /// - `splits`: under tallrec the split of each recorded target; ignored under leave-last.
    /// - `negatives`: items that were drawn for an interaction.
    public func prompts(
        user: String, interactions: [Interaction], titles: (String) -> String?, splits: [InteractionKey: Split] = [:],
        negatives: [InteractionKey: [String]] = [:]
    ) -> [Prompt] {
        let all = interactions.sequence(of: user)
        let sequence = titled(all, titles)
        guard sequence.count > configuration.historyLength else { return [] }
        let keys = sequence.map(\.interaction.key)
        let targets = configuration.historyLength..<sequence.count
        let sampled = negatives.isEmpty ? [] : self.sampled(negatives, for: sequence[targets], of: all, titles)
        var text = PromptText(
            sequence.map { (title: $0.title, isLiked: isLiked($0.interaction)) }
                + sampled.map { (title: $0.title, isLiked: false) }, budget, pieces)
        var rest = Array(sampled.enumerated())[...]
        return targets.flatMap { position -> [Prompt] in
            let own = rest.prefix { $0.element.position == position }
            rest = rest.dropFirst(own.count)
            let id = Self.promptID(target: keys[position])
            guard let split = split(at: position, of: sequence.count, recorded: splits[keys[position]]),
                isSampled(id: id, split: split)
            else { return [] }
            let history = (position - configuration.historyLength)..<position
            func prompt(
                _ id: String, about target: InteractionKey, titled title: Int, _ label: Bool, for own: InteractionKey?
            ) -> Prompt {
                let input = text.input(history: history, target: title)
                return Prompt(
                    id: id, user: user, split: split, target: target, history: Array(keys[history]),
                    instruction: pieces.instruction, input: input.text, label: label, frame: pieces.frame,
                    historyBytes: input.historyBytes, sampledFor: own)
            }
            let label = isLiked(sequence[position].interaction)
            return [prompt(id, about: keys[position], titled: position, label, for: nil)]
                + own.map { offset, negative in
                    prompt(
                        Self.promptID(negative: negative.item, for: keys[position]),
                        about: InteractionKey(
                            user: user, item: negative.item, timestamp: keys[position].timestamp),
                        titled: sequence.count + offset, false, for: keys[position])
                }
        }
    }

    /// A drawn item that makes a prompt, with the place in the sequence of the interaction that it belongs to.
    private struct Sampled {
        var position: Int
        var item: String
        var title: String
    }

    /// Without what the user has an interaction with: a real one counts, whenever it was.
    private func sampled(
        _ negatives: [InteractionKey: [String]], for targets: ArraySlice<TitledInteraction>, of all: [Interaction],
        _ titles: (String) -> String?
    ) -> [Sampled] {
        let had = Set(all.map(\.item))
        return zip(targets.indices, targets).flatMap { position, target -> [Sampled] in
            guard isLiked(target.interaction) else { return [] }
            return (negatives[target.interaction.key] ?? []).compactMap { item in
                guard !had.contains(item), let title = titles(item) else { return nil }
                return Sampled(position: position, item: item, title: title)
            }
        }
    }

    /// What all questions about a user begin with: the latest `historyLength` interactions (or as many as there are).
    public func queryHistory(
        user: String, interactions: [Interaction], titles: (String) -> String?
    ) -> QueryHistory {
        QueryHistory(
            user: user,
            shown: Array(titled(interactions.sequence(of: user), titles).suffix(configuration.historyLength)))
    }

    /// The prompt that asks whether the user will like an item.
    public func queryPrompt(_ history: QueryHistory, item: Item) -> QueryPrompt {
        let titles =
            history.shown.map { (title: $0.title, isLiked: isLiked($0.interaction)) }
            + [(name(title: item.title, fields: item.fields), false)]
        var text = PromptText(titles, budget, pieces)
        let input = text.input(history: 0..<history.shown.count, target: history.shown.count)
        let prompt = TrainingPrompt(
            id: FieldHash.hexadecimal(["query", history.user, item.id]), instruction: pieces.instruction,
            input: input.text, label: false, frame: pieces.frame, historyBytes: input.historyBytes)
        return QueryPrompt(
            user: history.user, item: item.id, history: history.shown.map(\.interaction.key), prompt: prompt)
    }

    /// SHA-256, in hexadecimal, of the target's user, item and timestamp, each preceded by its length: `Prompt.id`.
    public static func promptID(target: InteractionKey) -> String {
        FieldHash.hexadecimal(["prompt", target.user, target.item, String(target.timestamp)])
    }

    /// Of a negative: also with what it was drawn for, since two interactions of one time may have the same.
    static func promptID(negative item: String, for own: InteractionKey) -> String {
        FieldHash.hexadecimal(["negative prompt", own.user, item, String(own.timestamp), own.item])
    }

    private func titled(_ sequence: [Interaction], _ titles: (String) -> String?) -> [TitledInteraction] {
        sequence.compactMap { interaction in
            titles(interaction.item).map { TitledInteraction(interaction: interaction, title: $0) }
        }
    }

    private func split(at position: Int, of count: Int, recorded: Split?) -> Split? {
        switch configuration.method {
        case .tallrec: recorded
        case .leaveLast: position == count - 1 ? .test : position == count - 2 ? .validation : .train
        }
    }

    private func isSampled(id: String, split: Split) -> Bool {
        let fraction = configuration.fraction(of: split)
        guard fraction < 1 else { return true }
        return FieldHash.number(["sample", String(configuration.seed), split.rawValue, id]) < UInt64(fraction * 0x1p64)
    }

    private func isLiked(_ interaction: Interaction) -> Bool { interaction.rating > configuration.likeAbove }

    var budget: TitleBudget { TitleBudget(bytes: configuration.titleBytes) }

    /// Whether the titles of the prompt with this target are shortened.
    public func shortens(_ prompt: Prompt, titles: (String) -> String?) -> Bool {
        let shown = (prompt.history + [prompt.target]).compactMap { titles($0.item) }
        return budget.fitting(shown) != shown
    }
}

extension PromptConfiguration {
    /// The share of a split's prompts that sampling keeps.
    public func fraction(of split: Split) -> Double {
        switch split {
        case .train: trainFraction
        case .validation: validationFraction
        case .test: testFraction
        }
    }
}
