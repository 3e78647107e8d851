import Foundation
import Recommendation

/// What cases of a comparison are made from: people's interactions and the rules that turn them into prompts.
public struct ComparisonSource: Sendable {
    public struct Person: Sendable {
        public var user: String
        public var interactions: [Interaction]
        /// Of the targets whose split was recorded at import.
        public var splits: [InteractionKey: Split]

        /// The slice that the person was dealt to, where that was recorded.
        public var slice: Int?
        /// Items that an import drew for interactions.
        public var negatives: [InteractionKey: [String]]

        public init(
            user: String, interactions: [Interaction], splits: [InteractionKey: Split] = [:], slice: Int? = nil,
            negatives: [InteractionKey: [String]] = [:]
        ) {
            self.negatives = negatives
            self.slice = slice
            self.user = user
            self.interactions = interactions
            self.splits = splits
        }
    }

    /// Sorted by user.
    public let people: [Person]
    public let titles: [String: String]
    public let builder: PromptBuilder

    /// - Throws: `RecommendationError.invalidConfiguration`.
    public init(people: [Person], titles: [String: String], prompts: PromptConfiguration) throws {
        self.people = people.sorted { $0.user < $1.user }
        self.titles = titles
        builder = try PromptBuilder(configuration: prompts)
    }
}

/// The cases of a comparison: one for each seed and each version of the data. A pure function of source and options.
public struct ComparisonPlan: Sendable {
    public struct Entry: Hashable, Sendable {
        public var seed: UInt64
        /// nil: the data as recorded; else the kind whose labels are flipped before the training.
        public var noise: ForgetKind?

        package init(seed: UInt64, noise: ForgetKind? = nil) {
            self.seed = seed
            self.noise = noise
        }

        /// `ComparisonCase.data`
        var data: String { noise.map { "flipped labels, \($0)" } ?? "as recorded" }
    }

    public let entries: [Entry]
    let options: ComparisonOptions
    let settings: ComparisonSettings

    /// - `settings`: its specification's seed is that of the first case; the next seeds follow.
    /// - Throws: `UnlearningError.invalidSpecification`.
    public init(options: ComparisonOptions, settings: ComparisonSettings) throws {
        try options.check()
        self.options = options
        var settings = settings
        if let epochs = options.epochs { settings.specification.epochs = epochs }
        self.settings = settings
        let noise = options.forget.filter { $0.target == .noise }
        let hasOthers = noise.count < options.forget.count
        let first = settings.specification.seed
        let seeds = (0..<UInt64(options.seeds)).map { first &+ $0 }
        // Everything for one seed before the next: whoever stops early has a whole table of fewer seeds. Of one seed the
        // longest case first, so that workers end at about the same time.
        entries = seeds.flatMap { seed in
            (hasOthers ? [Entry(seed: seed, noise: nil)] : []) + noise.map { Entry(seed: seed, noise: $0) }
        }
    }

    /// - Throws: `UnlearningError.noSamples` when there is nothing to train on or to test, or too little to forget.
    public func makeCase(_ entry: Entry, from source: ComparisonSource) throws -> ComparisonCase {
        let settings = settings.seeded(entry.seed)
        var draft = ComparisonDraft(
            source: source, seed: entry.seed, limit: options.limit,
            slices: settings.specification.dealing(of: settings.partition))
        guard !draft.prompts(of: .train).isEmpty, !draft.prompts(of: .test).isEmpty else {
            throw UnlearningError.noSamples
        }
        var batches: [ForgetBatch] = []
        if let noise = entry.noise {
            batches = [draft.batch(noise, index: 0, forgetting: draft.flipLabels(share: noise.amount / 100))]
        } else {
            for kind in options.forget where kind.target != .noise {
                batches += draft.selections(of: kind).enumerated().map { index, forgotten in
                    draft.batch(kind, index: index, forgetting: forgotten)
                }
            }
        }
        let methods = options.orderedMethods
        let retained = draft.prompts(of: .train).count
        guard !batches.isEmpty, batches.allSatisfy({ $0.training.removed.count < retained }) else {
            throw UnlearningError.noSamples
        }
        return ComparisonCase(
            seed: entry.seed, data: entry.data,
            people: draft.activities(), training: draft.prompts(of: .train), validation: draft.prompts(of: .validation),
            test: draft.prompts(of: .test), batches: batches,
            sequence: entry.noise == nil ? draft.sequence(of: options.sequence) : [],
            methods: methods, settings: settings)
    }
}
