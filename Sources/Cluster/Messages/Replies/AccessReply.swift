import Recommendation

/// Everything that the cluster has of one person, and where it went: what a person who asks may be told, and what a forget request
/// would touch.
public struct AccessReply: Codable, Sendable, Equatable {
    public struct Rating: Codable, Sendable, Equatable {
        public var item: String
        /// nil: nobody gave the item a title.
        public var title: String?
        /// Seconds since 1970.
        public var timestamp: Int64
        public var rating: Double

        package init(item: String, title: String?, timestamp: Int64, rating: Double) {
            self.item = item
            self.title = title
            self.timestamp = timestamp
            self.rating = rating
        }
    }

    /// An item that an import drew to stand for what the person does not like: nothing that the person did.
    public struct Sampled: Codable, Sendable, Equatable {
        public var item: String
        public var title: String?
        /// Of the interaction that it was drawn for, and goes with.
        public var drawnFor: String
        public var timestamp: Int64

        package init(item: String, title: String?, drawnFor: String, timestamp: Int64) {
            self.item = item
            self.title = title
            self.drawnFor = drawnFor
            self.timestamp = timestamp
        }
    }

    public struct Prompt: Codable, Sendable, Equatable {
        /// `Prompt.id`.
        public var id: String
        public var split: Split
        /// nil: no training prompt, or not dealt to a shard yet.
        public var shard: Int?
        /// Item that is asked about.
        public var target: String
        /// Items that are shown, oldest first.
        public var history: [String]
        public var text: String
        /// Whether "Yes." is right.
        public var label: Bool
        /// The target is one of the items that were drawn; nil: it is an interaction.
        public var isSampled: Bool?

        package init(_ prompt: Recommendation.Prompt, shard: Int?) {
            id = prompt.id
            split = prompt.split
            self.shard = shard
            target = prompt.target.item
            history = prompt.history.map(\.item)
            text = TrainingPrompt(prompt).text
            label = prompt.label
            isSampled = prompt.sampledFor.map { _ in true }
        }
    }

    /// A shard whose adapter saw something of the person, or will.
    public struct Shard: Codable, Sendable, Equatable {
        public var shard: Int
        /// Training prompts of the person that are in it now.
        public var prompts: Int
        /// Content name of the adapter that answers; nil: there is none.
        public var adapter: String?
        /// Whether the adapter was trained on the shard's present prompts.
        public var isCurrent: Bool
        /// The adapter is a stage, trained on so many of `slices` slices; nil: it is none.
        public var stage: Int?
        public var slices: Int?
        /// Whether it saw earlier versions of the person's prompts.
        public var sawEarlier: Bool
        /// Workers' disks that may hold prompts of the shard, sealed or not.
        public var copies: [HandedCopy]

        package init(
            shard: Int, prompts: Int, adapter: String?, isCurrent: Bool, sawEarlier: Bool, copies: [HandedCopy],
            stage: Int? = nil, slices: Int? = nil
        ) {
            self.stage = stage
            self.slices = slices
            self.shard = shard
            self.prompts = prompts
            self.adapter = adapter
            self.isCurrent = isCurrent
            self.sawEarlier = sawEarlier
            self.copies = copies
        }
    }

    /// Rows of the person in an import in progress: kept sealed, and in no prompt yet.
    public struct Staged: Codable, Sendable, Equatable {
        /// What its client calls the import.
        public var importID: String
        /// As they were sent.
        public var interactions: [Rating]

        package init(importID: String, interactions: [Rating]) {
            self.importID = importID
            self.interactions = interactions
        }
    }

    /// The person's record, or its key, was found damaged and is gone; a forget request takes away what saw it.
    public struct Damaged: Codable, Sendable, Equatable {
        /// Those that had prompts of the person.
        public var shards: [Int]

        package init(shards: [Int]) { self.shards = shards }
    }

    public var user: String
    /// The slice that the person was dealt to by an import that said so, and not by the hash; nil: none did.
    public var slice: Int?
    /// By time.
    public var interactions: [Rating]
    /// By the interactions that they were drawn for; nil: none was.
    public var sampled: [Sampled]?
    /// By target, oldest first.
    public var prompts: [Prompt]
    /// By number.
    public var shards: [Shard]
    /// By the imports' ids; nil: none holds any.
    public var staged: [Staged]?
    /// nil: nothing was damaged.
    public var damaged: Damaged?
    /// The same of whom earlier releases kept under other spellings of the name; nil: there are none.
    public var spellings: [AccessReply]?

    package init(
        user: String, slice: Int? = nil, interactions: [Rating], sampled: [Sampled]? = nil, prompts: [Prompt],
        shards: [Shard]
    ) {
        self.sampled = sampled
        self.user = user
        self.slice = slice
        self.interactions = interactions
        self.prompts = prompts
        self.shards = shards
    }
}
