import Foundation
import LanguageModels
import Unlearning

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
        /// When a forget request, or a damaged file, took the shard's adapter away; nil once a clean one is there or the shard is empty.
        public var quarantinedSince: Date?
        /// By what the adapter that was taken away is to be corrected before anything is retrained; nil: not at all.
        public var correction: ApproximateMethod?
        /// A forget request waits for a trained adapter: an approximate one only serves until then.
        public var awaitsExact: Bool
        /// Why the shard is retrained although a forget request that still waits asked for a correction.
        public var fallback: CorrectionFallback?
        /// What the shard waits for a new adapter in place of; nil: not because of a damaged file.
        public var damage: DamagedAdapter?
        /// Prompts whose answer is "Yes."; nil: not counted.
        public var likes: Int?
        /// Of the shard's last training, whichever adapter it has now; nil: not on record.
        public var secondsPerPrompt: Double?

        public init(
            index: Int, manifest: String, prompts: Int, adapter: Adapter? = nil, quarantinedSince: Date? = nil,
            correction: ApproximateMethod? = nil, awaitsExact: Bool = false,
            fallback: CorrectionFallback? = nil, damage: DamagedAdapter? = nil, likes: Int? = nil,
            secondsPerPrompt: Double? = nil
        ) {
            self.likes = likes
            self.secondsPerPrompt = secondsPerPrompt
            self.index = index
            self.manifest = manifest
            self.prompts = prompts
            self.adapter = adapter
            self.quarantinedSince = quarantinedSince
            self.correction = correction
            self.awaitsExact = awaitsExact
            self.fallback = fallback
            self.damage = damage
        }

        /// Whether all of its prompts have the same answer: an adapter trained on them learns nothing but that.
        public var hasOneLabel: Bool { prompts > 0 && (likes == 0 || likes == prompts) }

        /// Whether the shard has the adapter of exactly its present data. An empty shard needs none. A stage is never it, also where
        /// the slices after it have lost their prompts: requests wait for the training.
        public var isCurrent: Bool {
            prompts == 0 ? adapter == nil : adapter?.manifest == manifest && !isBridged && !isStaged
        }

        /// Whether a stage serves until the training that begins at it is done.
        public var isStaged: Bool { adapter?.stage != nil }

        /// Whether an approximate adapter serves until the trained one is there.
        public var isBridged: Bool { awaitsExact && adapter?.corrected != nil }
    }

    /// What of an approximate adapter everybody is told.
    public struct Corrected: Codable, Hashable, Sendable {
        public var method: ApproximateMethod
        /// Approximate corrections since the last training.
        public var corrections: Int
        public var since: Date

        public init(method: ApproximateMethod, corrections: Int, since: Date) {
            self.method = method
            self.corrections = corrections
            self.since = since
        }
    }

    /// The adapter that a shard answers with. A trained one never saw anything that was forgotten, but may lag behind an
    /// import.
    public struct Adapter: Codable, Hashable, Sendable {
        /// Content name.
        public var name: String
        /// Digest of the manifest it was trained from.
        public var manifest: String
        /// Reference prompts whose margin under this adapter is missing; 0: its reference row is complete.
        public var missingMargins: Int
        /// nil: trained.
        public var corrected: Corrected?
        /// The worker that made it; nil: not on record.
        public var trainer: String?
        /// The last slice that it was trained on, of an adapter that is a stage; nil: trained on all.
        public var stage: Int?

        public init(
            name: String, manifest: String, missingMargins: Int, corrected: Corrected? = nil,
            trainer: String? = nil, stage: Int? = nil
        ) {
            self.stage = stage
            self.trainer = trainer
            self.name = name
            self.manifest = manifest
            self.missingMargins = missingMargins
            self.corrected = corrected
        }
    }

    /// A forget request that is durable but not finished.
    public struct PendingForget: Codable, Hashable, Sendable {
        public var id: String
        public var received: Date
        /// Shards that need a clean adapter first (for an approximate method a corrected one is enough); empty:
        /// `finish(request:)` may be called.
        public var waitingFor: [Int]
        /// Shards whose adapter it took away and that have prompts left: those it waits for and those that have got another.
        public var retrained: [Int]
        public var method: ForgetMethod
        public var bridge: ApproximateMethod?

        public init(
            id: String, received: Date, waitingFor: [Int], retrained: [Int]? = nil,
            method: ForgetMethod = .apa, bridge: ApproximateMethod? = nil
        ) {
            self.retrained = retrained ?? waitingFor
            self.id = id
            self.received = received
            self.waitingFor = waitingFor
            self.method = method
            self.bridge = bridge
        }
    }

    /// Every shard, by index, also the empty ones.
    public var shards: ChunkedList<Shard>
    /// Whether any interaction was imported (and not forgotten).
    public var hasData: Bool
    /// Whether every training prompt has a shard. False without training prompts.
    public var isPartitioned: Bool
    /// Training prompts that have no shard yet.
    public var unassignedPrompts: Int
    /// Prompts whose embedding is needed and missing: reference prompts, and the unassigned training prompts if the
    /// partition is computed from embeddings. `samplesWithoutEmbedding` lists them.
    public var missingEmbeddings: Int
    public var trainingPrompts: Int
    public var validationPrompts: Int
    /// Validation prompts that adapters are compared on: a sample where there are many.
    public var referencePrompts: Int
    public var testPrompts: Int
    /// `ShardManifest.digest` over the reference prompts.
    public var validationDigest: String
    /// Whether τ and n were chosen for exactly the present adapters and reference prompts.
    public var isTuned: Bool
    /// Whether the attention in force weighs adapters by their rows of the error table: τ was chosen, if only for earlier
    /// adapters, and is not 0. Otherwise all that may answer count the same, with or without a row.
    public var weighsByRows: Bool
    /// Oldest first.
    public var pendingForgets: ChunkedList<PendingForget>
    /// Whether `train` was ever asked for (`requestTraining`): then shards that are not current are to be trained.
    public var trainingRequested: Bool
    /// Whether there is housekeeping to do (`purge`): files to delete, an item's title to remove, pages to give back.
    public var purgePending: Bool
    /// Whether an import is being taken in: more data is about to come.
    public var isImporting: Bool
    /// Of the training prompts; nil: not known.
    public var labels: Labels?

    /// How the training prompts are labelled.
    public struct Labels: Codable, Hashable, Sendable {
        /// Prompts whose answer is "Yes.".
        public var likes: Int
        /// A rating above this is a like.
        public var likeAbove: Double

        public init(likes: Int, likeAbove: Double) {
            self.likes = likes
            self.likeAbove = likeAbove
        }
    }

    public init(
        shards: [Shard], hasData: Bool, isPartitioned: Bool, unassignedPrompts: Int, missingEmbeddings: Int,
        trainingPrompts: Int, validationPrompts: Int, testPrompts: Int, validationDigest: String, isTuned: Bool,
        pendingForgets: [PendingForget], trainingRequested: Bool, purgePending: Bool = false,
        isImporting: Bool = false, labels: Labels? = nil, weighsByRows: Bool = false, referencePrompts: Int? = nil
    ) {
        self.referencePrompts = referencePrompts ?? validationPrompts
        self.labels = labels
        self.isImporting = isImporting
        self.weighsByRows = weighsByRows
        self.shards = ChunkedList(shards)
        self.hasData = hasData
        self.isPartitioned = isPartitioned
        self.unassignedPrompts = unassignedPrompts
        self.missingEmbeddings = missingEmbeddings
        self.trainingPrompts = trainingPrompts
        self.validationPrompts = validationPrompts
        self.testPrompts = testPrompts
        self.validationDigest = validationDigest
        self.isTuned = isTuned
        self.pendingForgets = ChunkedList(pendingForgets)
        self.trainingRequested = trainingRequested
        self.purgePending = purgePending
    }
}
