import Unlearning

/// What replaying the training of shards gave.
public struct VerificationReport: Codable, Hashable, Sendable {
    public struct Shard: Codable, Hashable, Sendable {
        public var shard: Int
        public var manifest: String
        /// Content name of the published adapter.
        public var published: String
        /// Content name of what the replay gave.
        public var replayed: String
        public var match: Bool
        /// The worker that replayed it.
        public var worker: String
        /// The one that trained it; nil: not on record.
        public var trainer: String?
        public var seconds: Double

        package init(
            shard: Int, manifest: String, published: String, replayed: String, match: Bool, worker: String,
            trainer: String? = nil, seconds: Double
        ) {
            self.shard = shard
            self.manifest = manifest
            self.published = published
            self.replayed = replayed
            self.match = match
            self.worker = worker
            self.trainer = trainer
            self.seconds = seconds
        }

        /// Whether another worker gave the same bytes than the one that trained the adapter.
        public var isIndependent: Bool { trainer.map { $0 != worker } ?? false }
    }

    /// What training one slice again gave.
    public struct Stage: Codable, Hashable, Sendable {
        public var shard: Int
        /// From 1, of `slices`.
        public var slice: Int
        public var slices: Int
        /// What was asked for, where it has no prompts: what there was before it stands for it. nil: this one.
        public var asked: Int?
        /// Of the shard's data.
        public var manifest: String
        /// Content name of the published adapter.
        public var published: String
        /// Of the stage after the slice (`StageNames`); after the last slice the adapter's; empty: not on record.
        public var name: String
        /// The slice after which there was the stage that it was trained from; 0: it was trained from the initial adapter.
        public var from: Int
        /// SHA-256 of the stage's bytes, as it was recorded when the adapter was published; empty: it was not, and so it was not
        /// replayed.
        public var recorded: String
        /// The same of what the replay gave; nil: it was not replayed.
        public var replayed: String?
        public var match: Bool
        /// Why it was not replayed; nil: it was.
        public var missing: String?
        /// The worker that replayed it.
        public var worker: String?
        /// The one that made it; nil: not on record.
        public var trainer: String?
        public var seconds: Double?
        /// Prompt tokens that were trained, times epochs.
        public var tokens: Int?

        package init(
            shard: Int, slice: Int, slices: Int, asked: Int?, manifest: String, published: String, name: String,
            from: Int, recorded: String, trainer: String?
        ) {
            self.shard = shard
            self.slice = slice
            self.slices = slices
            self.asked = asked
            self.manifest = manifest
            self.published = published
            self.name = name
            self.from = from
            self.recorded = recorded
            self.trainer = trainer
            match = false
        }
    }

    /// A shard that was asked for and whose adapter was corrected, not trained: there is nothing to replay.
    public struct Approximate: Codable, Hashable, Sendable {
        public var shard: Int
        /// Content name.
        public var published: String
        public var method: ApproximateMethod
        /// Approximate corrections since the last training.
        public var corrections: Int

        package init(shard: Int, published: String, method: ApproximateMethod, corrections: Int) {
            self.shard = shard
            self.published = published
            self.method = method
            self.corrections = corrections
        }
    }

    /// A shard whose data or adapter changed before the adapter that it had was replayed, again and again or last.
    public struct Changed: Codable, Hashable, Sendable {
        public var shard: Int
        /// What was to be replayed.
        public var manifest: String
        public var published: String
        /// What the shard has now; nil: it is being retrained.
        public var newManifest: String
        public var newAdapter: String?

        package init(shard: Int, manifest: String, published: String, newManifest: String, newAdapter: String?) {
            self.shard = shard
            self.manifest = manifest
            self.published = published
            self.newManifest = newManifest
            self.newAdapter = newAdapter
        }
    }

    /// A shard of which not every slice could be drawn, because it is not on record what its stages were.
    public struct Unrecorded: Codable, Hashable, Sendable {
        public var shard: Int
        /// Slices with prompts that could not be drawn: what the stage after them was, or the one before it, is not on record.
        /// Empty: of no stage of the shard is anything on record.
        public var slices: [Int]
        /// Slices that could be drawn. 0: the draw says nothing of the shard.
        public var drawable: Int

        package init(shard: Int, slices: [Int], drawable: Int) {
            self.shard = shard
            self.slices = slices
            self.drawable = drawable
        }
    }

    /// The forget request that it is about; nil: every shard.
    public var request: String?
    public var shards: [Shard]
    public var approximate: [Approximate]
    /// Shards that were asked for and have no prompts left: there is nothing to replay, and no adapter.
    public var empty: [Int]
    /// Shards that were asked for and had no adapter of their data when the verification began: they are being retrained.
    public var notCurrent: [Int]
    /// Shards that changed while the verification ran.
    public var changed: [Changed]
    /// Slices that were asked for; nil: whole trainings were.
    public var stages: [Stage]?
    /// Where slices were drawn: what there was not to be drawn from. nil: slices were named, or all could be drawn.
    public var unrecorded: [Unrecorded]?

    package init(
        request: String? = nil, shards: [Shard], approximate: [Approximate], empty: [Int], notCurrent: [Int],
        changed: [Changed] = [], stages: [Stage]? = nil, unrecorded: [Unrecorded]? = nil
    ) {
        self.unrecorded = unrecorded
        self.stages = stages
        self.changed = changed
        self.request = request
        self.shards = shards
        self.approximate = approximate
        self.empty = empty
        self.notCurrent = notCurrent
    }

    /// Something was replayed, everything that was asked for and is not empty gave the same bytes, and where slices were drawn
    /// there was no shard that none could be drawn of.
    public var allMatch: Bool {
        (!shards.isEmpty || stages?.isEmpty == false) && shards.allSatisfy(\.match)
            && (stages ?? []).allSatisfy(\.match) && (unrecorded ?? []).allSatisfy { $0.drawable > 0 }
            && approximate.isEmpty && notCurrent.isEmpty && changed.isEmpty
    }
}
