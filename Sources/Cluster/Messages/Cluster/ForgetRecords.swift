import Foundation
import Recommendation
import Unlearning

/// A number of prompts for each split.
public struct SplitCounts: Codable, Hashable, Sendable {
    public var train: Int
    public var validation: Int
    public var test: Int

    public init(train: Int = 0, validation: Int = 0, test: Int = 0) {
        self.train = train
        self.validation = validation
        self.test = test
    }

    public subscript(split: Split) -> Int {
        get {
            switch split {
            case .train: train
            case .validation: validation
            case .test: test
            }
        }
        set {
            switch split {
            case .train: train = newValue
            case .validation: validation = newValue
            case .test: test = newValue
            }
        }
    }

    public var total: Int { train + validation + test }
}

/// What forgetting takes away, in numbers. Nothing in it names a person or a thing.
public struct ForgetCounts: Codable, Hashable, Sendable {
    public var users: Int
    public var interactions: Int
    /// Their target was forgotten, or too little history is left.
    public var promptsDeleted: SplitCounts
    /// Their history held a forgotten interaction, or the target moved to another split (counted where it was).
    public var promptsRebuilt: SplitCounts
    /// A retained interaction took the place of a forgotten one as validation or test target.
    public var promptsAdded: SplitCounts

    public init(
        users: Int = 0, interactions: Int = 0, promptsDeleted: SplitCounts = SplitCounts(),
        promptsRebuilt: SplitCounts = SplitCounts(), promptsAdded: SplitCounts = SplitCounts()
    ) {
        self.users = users
        self.interactions = interactions
        self.promptsDeleted = promptsDeleted
        self.promptsRebuilt = promptsRebuilt
        self.promptsAdded = promptsAdded
    }
}

/// What a forget request would do (dry run).
public struct ForgetPlan: Codable, Hashable, Sendable {
    public struct Shard: Codable, Hashable, Sendable {
        public var index: Int
        /// Training prompts that stay, the rebuilt ones among them.
        public var promptsRetained: Int
        public var promptsDeleted: Int
        public var promptsRebuilt: Int
        /// Whether an adapter loses its weight until the shard is retrained.
        public var retrains: Bool
        /// Whether the adapter is corrected first: instead of being retrained, or as a bridge until it is.
        public var corrects: Bool
        /// Why it is retrained although a correction was asked for.
        public var fallback: CorrectionFallback?
        /// The slice that its training would begin with, of `slices`; nil: it trains in one, or the coordinator is of an older release.
        public var slice: Int?
        public var slices: Int?
        /// Tokens to train on, over all epochs; nil before the shard's first training. Of a shard that trains in slices those from
        /// `slice` on, as if its slices were of one size.
        public var tokens: Int?
        /// At the speed of recorded trainings; nil before the first.
        public var seconds: Double?

        public init(
            index: Int, promptsRetained: Int, promptsDeleted: Int, promptsRebuilt: Int, retrains: Bool, tokens: Int?,
            seconds: Double?, corrects: Bool = false, fallback: CorrectionFallback? = nil
        ) {
            self.index = index
            self.promptsRetained = promptsRetained
            self.promptsDeleted = promptsDeleted
            self.promptsRebuilt = promptsRebuilt
            self.retrains = retrains
            self.corrects = corrects
            self.fallback = fallback
            self.tokens = tokens
            self.seconds = seconds
        }
    }

    public var method: ForgetMethod
    public var bridge: ApproximateMethod?
    public var counts: ForgetCounts
    /// Affected shards, by index.
    public var shards: [Shard]
    /// Sums over the shards that retrain; nil when one of them is unknown. One worker at a time.
    public var tokens: Int?
    public var seconds: Double?
    /// Users and interactions of the request that were forgotten before.
    public var alreadyForgotten: Int

    public init(
        method: ForgetMethod = .apa, bridge: ApproximateMethod? = nil, counts: ForgetCounts,
        shards: [Shard], tokens: Int?, seconds: Double?, alreadyForgotten: Int
    ) {
        self.method = method
        self.bridge = bridge
        self.counts = counts
        self.shards = shards
        self.tokens = tokens
        self.seconds = seconds
        self.alreadyForgotten = alreadyForgotten
    }
}

/// What a durable forget request did to the ledger. Repeating the request id gives the same outcome again.
public struct ForgetOutcome: Codable, Hashable, Sendable {
    public var request: String
    public var received: Date
    public var counts: ForgetCounts
    /// Shards whose data changed or whose adapter was taken away, by index.
    public var shards: [Int]
    /// Those of them that need a clean adapter before the request is finished.
    public var waitingFor: [Int]
    /// Content names of the adapters that must not answer any more, in order; their files are gone, or will be once they
    /// are corrected.
    public var droppedAdapters: [String]
    /// Users and interactions of the request that were forgotten before.
    public var alreadyForgotten: Int
    /// nil in what was stored before there were approximate methods: apa.
    public var method: ForgetMethod?
    public var bridge: ApproximateMethod?
    /// Those of `waitingFor` whose adapter is corrected first. Until the result is published, the ledger keeps the texts
    /// of their forgotten prompts and the files of their adapters, which answer nothing.
    public var correcting: [Int]?

    public init(
        request: String, received: Date, counts: ForgetCounts, shards: [Int], waitingFor: [Int],
        droppedAdapters: [String], alreadyForgotten: Int, method: ForgetMethod? = nil,
        bridge: ApproximateMethod? = nil, correcting: [Int]? = nil
    ) {
        self.method = method
        self.bridge = bridge
        self.correcting = correcting
        self.request = request
        self.received = received
        self.counts = counts
        self.shards = shards
        self.waitingFor = waitingFor
        self.droppedAdapters = droppedAdapters
        self.alreadyForgotten = alreadyForgotten
    }

    /// Everything the request named had been forgotten before: nothing changed.
    public var wasAlreadyForgotten: Bool { alreadyForgotten > 0 && counts.interactions == 0 && counts.users == 0 }
}

/// A forget request as the ledger keeps it.
public struct ForgetRecord: Codable, Hashable, Sendable {
    public enum State: String, Codable, Sendable { case pending, finished }

    public var outcome: ForgetOutcome
    public var state: State
    public var method: ForgetMethod
    public var bridge: ApproximateMethod?
    public var finished: Date?
    /// When finished.
    public var certificate: Certificate?

    public init(
        outcome: ForgetOutcome, state: State, method: ForgetMethod, finished: Date?,
        certificate: Certificate?, bridge: ApproximateMethod? = nil
    ) {
        self.bridge = bridge
        self.outcome = outcome
        self.state = state
        self.method = method
        self.finished = finished
        self.certificate = certificate
    }
}
