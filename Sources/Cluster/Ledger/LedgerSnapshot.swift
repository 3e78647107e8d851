import Foundation

/// What the coordinator's logic needs to know of the ledger, read in one go in milliseconds.
public struct LedgerSnapshot: Codable, Hashable, Sendable {
    /// One shard: the data it should hold and the adapter it has.
    public struct Shard: Codable, Hashable, Sendable {
        public var index: Int
        /// `ShardManifest.digest` of the training prompts that are the shard's now.
        public var manifest: String
        public var prompts: Int
        /// nil: never trained, quarantined or empty.
        public var adapter: Adapter?
        /// When a forget request took the shard's adapter away; nil once a clean one is there or the shard is empty.
        public var quarantinedSince: Date?

        public init(
            index: Int, manifest: String, prompts: Int, adapter: Adapter? = nil, quarantinedSince: Date? = nil
        ) {
            self.index = index
            self.manifest = manifest
            self.prompts = prompts
            self.adapter = adapter
            self.quarantinedSince = quarantinedSince
        }

        /// Whether the shard has the adapter of exactly its present data. An empty shard needs none.
        public var isCurrent: Bool { prompts == 0 ? adapter == nil : adapter?.manifest == manifest }
    }

    /// The adapter that a shard answers with. It never saw anything that was forgotten, but may lag behind an import.
    public struct Adapter: Codable, Hashable, Sendable {
        /// Content name.
        public var name: String
        /// Digest of the manifest it was trained from.
        public var manifest: String
        /// Validation prompts whose margin under this adapter is missing; 0: its reference row is complete.
        public var missingMargins: Int

        public init(name: String, manifest: String, missingMargins: Int) {
            self.name = name
            self.manifest = manifest
            self.missingMargins = missingMargins
        }
    }

    /// A forget request that is durable but not finished.
    public struct PendingForget: Codable, Hashable, Sendable {
        public var id: String
        public var received: Date
        /// Shards that need a clean adapter first; empty: `finish(request:)` may be called.
        public var waitingFor: [Int]

        public init(id: String, received: Date, waitingFor: [Int]) {
            self.id = id
            self.received = received
            self.waitingFor = waitingFor
        }
    }

    /// Every shard, by index, also the empty ones.
    public var shards: [Shard]
    /// Whether any interaction was imported (and not forgotten).
    public var hasData: Bool
    /// Whether every training prompt has a shard. False without training prompts.
    public var isPartitioned: Bool
    /// Training prompts that have no shard yet.
    public var unassignedPrompts: Int
    /// Prompts whose embedding is needed and missing: validation prompts, and the unassigned training prompts if the
    /// partition is computed from embeddings. `samplesWithoutEmbedding` lists them.
    public var missingEmbeddings: Int
    public var trainingPrompts: Int
    public var validationPrompts: Int
    public var testPrompts: Int
    /// `ShardManifest.digest` over the validation prompts.
    public var validationDigest: String
    /// Whether τ and n were chosen for exactly the present adapters and validation prompts.
    public var isTuned: Bool
    /// Oldest first.
    public var pendingForgets: [PendingForget]
    /// Whether `train` was ever asked for (`requestTraining`): then shards that are not current are to be trained.
    public var trainingRequested: Bool
    /// Whether traces of forgotten data could not be removed from the files yet (a full disk): call `purge` again.
    public var purgePending: Bool

    public init(
        shards: [Shard], hasData: Bool, isPartitioned: Bool, unassignedPrompts: Int, missingEmbeddings: Int,
        trainingPrompts: Int, validationPrompts: Int, testPrompts: Int, validationDigest: String, isTuned: Bool,
        pendingForgets: [PendingForget], trainingRequested: Bool, purgePending: Bool = false
    ) {
        self.shards = shards
        self.hasData = hasData
        self.isPartitioned = isPartitioned
        self.unassignedPrompts = unassignedPrompts
        self.missingEmbeddings = missingEmbeddings
        self.trainingPrompts = trainingPrompts
        self.validationPrompts = validationPrompts
        self.testPrompts = testPrompts
        self.validationDigest = validationDigest
        self.isTuned = isTuned
        self.pendingForgets = pendingForgets
        self.trainingRequested = trainingRequested
        self.purgePending = purgePending
    }
}
