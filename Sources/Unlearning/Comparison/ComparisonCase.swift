import LanguageModels
import Recommendation

/// A prompt of a comparison and whose it is.
public struct ComparisonPrompt: Codable, Hashable, Sendable {
    public var prompt: TrainingPrompt
    /// Position in `ComparisonCase.people`; names leave the coordinator as little as anywhere else.
    public var user: Int

    public init(prompt: TrainingPrompt, user: Int) {
        self.prompt = prompt
        self.user = user
    }
}

/// What a forget request changes in one split. All lists are sorted by id.
public struct SplitChanges: Codable, Hashable, Sendable {
    public struct Replacement: Codable, Hashable, Sendable {
        /// The new version; the old one has the same id.
        public var new: ComparisonPrompt
        /// Forgotten items ÷ items of the old history.
        public var forgottenShare: Double

        public init(new: ComparisonPrompt, forgottenShare: Double) {
            self.new = new
            self.forgottenShare = forgottenShare
        }
    }

    public var removed: [String]
    public var replaced: [Replacement]
    public var added: [ComparisonPrompt]

    public init(removed: [String] = [], replaced: [Replacement] = [], added: [ComparisonPrompt] = []) {
        self.removed = removed
        self.replaced = replaced
        self.added = added
    }

    public var isEmpty: Bool { removed.isEmpty && replaced.isEmpty && added.isEmpty }
}

/// One forget request: the same for every method.
public struct ForgetBatch: Codable, Hashable, Sendable {
    public var kind: ForgetKind
    /// Among the requests of its kind, from 0.
    public var index: Int
    /// Forgotten interactions.
    public var interactions: Int
    public var training: SplitChanges
    public var validation: SplitChanges
    public var test: SplitChanges

    public init(
        kind: ForgetKind, index: Int, interactions: Int, training: SplitChanges,
        validation: SplitChanges = SplitChanges(), test: SplitChanges = SplitChanges()
    ) {
        self.kind = kind
        self.index = index
        self.interactions = interactions
        self.training = training
        self.validation = validation
        self.test = test
    }
}

/// How much a user did, for fairness: thirds of the users by their number of interactions.
public struct ComparisonPerson: Codable, Hashable, Sendable {
    public enum Activity: String, Codable, CaseIterable, Hashable, Sendable { case core, middle, edge }

    public var activity: Activity
    /// Whether the user belongs to a random third.
    public var isInRandomThird: Bool

    public init(activity: Activity, isInRandomThird: Bool) {
        self.activity = activity
        self.isInRandomThird = isInRandomThird
    }
}

/// How the methods are set; the same in every case of a comparison, but for seeds.
public struct ComparisonSettings: Codable, Hashable, Sendable {
    public var specification: TrainingSpecification
    public var shards: Int
    /// APA's.
    public var partition: PartitionMethod
    public var embedding: EmbeddingSource
    public var ascent: GradientAscentConfiguration
    public var e2urec: E2URecConfiguration
    public var ifru: IFRUConfiguration

    public init(
        specification: TrainingSpecification, shards: Int, partition: PartitionMethod, embedding: EmbeddingSource,
        ascent: GradientAscentConfiguration = GradientAscentConfiguration(),
        e2urec: E2URecConfiguration = E2URecConfiguration(), ifru: IFRUConfiguration = IFRUConfiguration()
    ) {
        self.specification = specification
        self.shards = shards
        self.partition = partition
        self.embedding = embedding
        self.ascent = ascent
        self.e2urec = e2urec
        self.ifru = ifru
    }

    /// - Throws: `UnlearningError.invalidSpecification`, `ApproximateError.dampingNotPositive`.
    public func check() throws {
        try specification.check()
        try ascent.check()
        try e2urec.check()
        try ifru.check()
        guard specification.heldOut == 0 else {
            throw UnlearningError.invalidSpecification(
                reason: "methods are compared on trainings that learn from all prompts; this one holds some out")
        }
        guard (1...65_536).contains(shards) else {
            throw UnlearningError.invalidSpecification(reason: "there must be from 1 to 65536 shards")
        }
    }

    /// Slices of the rows "sliced" where the cluster trains in one.
    public static let usualSlices = 4

    /// What the rows "sliced" are trained with.
    public var slicedSpecification: TrainingSpecification {
        guard specification.slices == 1 else { return specification }
        var sliced = specification
        sliced.slices = Self.usualSlices
        sliced.averaging = .standard(slices: Self.usualSlices)
        return sliced
    }

    /// The same for one seed.
    func seeded(_ seed: UInt64) -> ComparisonSettings {
        var copy = self
        copy.specification.seed = seed
        copy.ascent.seed = seed
        copy.e2urec.seed = seed
        return copy
    }
}

/// Everything that one worker needs to compare the methods for one seed on one version of the data. All models of the
/// case that several requests share are trained once.
public struct ComparisonCase: Codable, Hashable, Sendable {
    public var seed: UInt64
    /// "as recorded", or the kind of forgetting whose labels were flipped.
    public var data: String
    /// Positions name users.
    public var people: [ComparisonPerson]
    /// Each sorted by id.
    public var training: [ComparisonPrompt]
    public var validation: [ComparisonPrompt]
    public var test: [ComparisonPrompt]
    /// Each on its own from the data above.
    public var batches: [ForgetBatch]
    /// One after another.
    public var sequence: [ForgetBatch]
    public var methods: [ComparisonMethod]
    public var settings: ComparisonSettings

    public init(
        seed: UInt64, data: String, people: [ComparisonPerson], training: [ComparisonPrompt],
        validation: [ComparisonPrompt], test: [ComparisonPrompt], batches: [ForgetBatch], sequence: [ForgetBatch],
        methods: [ComparisonMethod], settings: ComparisonSettings
    ) {
        self.seed = seed
        self.data = data
        self.people = people
        self.training = training
        self.validation = validation
        self.test = test
        self.batches = batches
        self.sequence = sequence
        self.methods = methods
        self.settings = settings
    }

    /// All versions of all prompts.
    public var prompts: [TrainingPrompt] {
        let changes = (batches + sequence).flatMap { [$0.training, $0.validation, $0.test] }
        return (training + validation + test).map(\.prompt)
            + changes.flatMap { $0.replaced.map(\.new.prompt) + $0.added.map(\.prompt) }
    }

    /// Prompts of all lists.
    public var promptCount: Int {
        (batches + sequence).reduce(training.count + validation.count + test.count) { sum, batch in
            [batch.training, batch.validation, batch.test].reduce(sum) {
                $0 + $1.removed.count + $1.replaced.count + $1.added.count
            }
        }
    }

    /// - Throws: `UnlearningError.invalidSpecification`, `.noSamples`.
    public func check() throws {
        try settings.check()
        guard !training.isEmpty, !test.isEmpty else { throw UnlearningError.noSamples }
        let changes = (batches + sequence).flatMap { [$0.training, $0.validation, $0.test] }
        let prompts = training + validation + test + changes.flatMap { $0.added + $0.replaced.map(\.new) }
        guard prompts.allSatisfy({ people.indices.contains($0.user) }) else {
            throw UnlearningError.invalidSpecification(reason: "a prompt belongs to nobody")
        }
    }
}
