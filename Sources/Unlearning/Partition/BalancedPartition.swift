/// How training prompts are dealt to shards.
public enum PartitionMethod: String, Codable, CaseIterable, Hashable, Sendable {
    /// APA's balanced semantic partition (arXiv 2404.10327): by the prompt's embedding, shards of equal size. Depends on
    /// everybody's data, so it is a recorded input of the training.
    case semantic
    /// The same over users: by the mean embedding of a user's prompts, balanced by prompt count. A user is whole in one
    /// shard. Recorded too.
    case user
    /// Keyed hash of the user: depends on nobody else's data.
    case userHash = "user-hash"
    /// Keyed hash of the prompt's id: depends on nobody else's data.
    case hash

    /// Whether a partition needs embeddings and is a recorded input of the training.
    public var isDataDependent: Bool { self == .semantic || self == .user }
}

/// What a partition needs to know of a prompt.
public struct PartitionSample: Codable, Hashable, Sendable {
    /// `Prompt.id`.
    public var id: String
    public var user: String

    public init(id: String, user: String) {
        self.id = id
        self.user = user
    }
}

/// Which shard every training prompt belongs to.
///
/// Sticky: `add` gives new samples to shards without moving anybody, `remove` forgets. No result depends on the order of
/// its input.
public struct BalancedPartition: Codable, Hashable, Sendable {
    /// A sample (or, under the methods by user, a user) and its shard.
    public struct Assignment: Codable, Hashable, Sendable {
        /// Prompt id, or user.
        public var key: String
        public var shard: Int
        /// Prompts that the key stands for.
        public var prompts: Int

        public init(key: String, shard: Int, prompts: Int) {
            self.key = key
            self.shard = shard
            self.prompts = prompts
        }
    }

    public let method: PartitionMethod
    public let shards: Int
    public let seed: UInt64
    /// Width of an embedding; 0 under the hash methods.
    public let dimension: Int
    /// `[shards, dimension]`, fixed once; empty under the hash methods.
    public let centres: [Float]
    /// Sorted by key. Empty under the hash methods, which need no record.
    public private(set) var assignments: [Assignment]

    /// - Parameters:
    ///   - embeddings: `[samples, dimension]`, row by row; ignored under the hash methods.
    /// - Throws: `UnlearningError` when shapes disagree, an id repeats, an embedding is not finite or `shards < 1`.
    public init(
        method: PartitionMethod, samples: [PartitionSample], embeddings: [Float], dimension: Int, shards: Int, seed: UInt64
    ) throws {
        self.method = method
        self.shards = shards
        self.seed = seed
        self.dimension = dimension
        self.centres = []
        self.assignments = []
    }

    /// nil when the sample is unknown to a data-dependent partition.
    public func shard(of sample: PartitionSample) -> Int? { nil }

    /// Deals samples that are not in the partition yet to the existing centres; known ones stay where they are.
    public mutating func add(samples: [PartitionSample], embeddings: [Float]) throws {
    }

    /// Takes samples out; unknown ones are ignored. A user without prompts left is forgotten.
    public mutating func remove(samples: [PartitionSample]) {
    }
}
