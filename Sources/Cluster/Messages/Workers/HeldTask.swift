import LanguageModels
import Unlearning

/// Work that a worker was given on an earlier connection and still has: it computes it, or the result waits to be sent.
///
/// A coordinator that gave the task out knows it by its id. One that was started since knows it by what the result is a pure
/// function of, besides what the hello says of base model, precision and arithmetic.
public struct HeldTask: Codable, Hashable, Sendable {
    /// What the result is a function of.
    public enum Content: Codable, Hashable, Sendable {
        /// Of a shard that the worker was assigned.
        case training(Training)
        /// A second training, for comparison. `manifest`: `ShardManifest.digest` of the prompts.
        case replay(manifest: String, specification: TrainingSpecification)
        /// Margins of prompts, by digest, under one adapter.
        case margins(adapter: String, rule: AggregationRule, digests: [String])
        case embeddings(EmbeddingSource, digests: [String])

        /// How many prompts it names.
        package var named: Int {
            switch self {
            case .training, .replay: 0
            case .margins(_, _, let digests), .embeddings(_, let digests): digests.count
            }
        }
    }

    public struct Training: Codable, Hashable, Sendable {
        public var shard: Int
        /// `ShardManifest.digest`.
        public var manifest: String
        public var specification: TrainingSpecification

        public init(shard: Int, manifest: String, specification: TrainingSpecification) {
            self.shard = shard
            self.manifest = manifest
            self.specification = specification
        }
    }

    /// The id under which the worker was last given it.
    public var task: TaskID
    /// nil: only whoever gave it out knows what it is for.
    public var content: Content?
    /// How much of it is done, from 0 to 1.
    public var share: Double

    public init(task: TaskID, content: Content? = nil, share: Double = 0) {
        self.task = task
        self.content = content
        self.share = share
    }
}

extension [HeldTask] {
    /// As many as a hello has room for, the first ones; those that name too many prompts go without.
    package var fittingHello: [HeldTask] {
        var room = WireLimits.heldPrompts
        return prefix(WireLimits.heldTasks).map { held in
            guard let named = held.content?.named, named > room else {
                room -= held.content?.named ?? 0
                return held
            }
            return HeldTask(task: held.task, share: held.share)
        }
    }
}

extension WorkerMessage {
    /// The task that this is the whole answer to.
    package var answeredTask: TaskID? {
        switch self {
        case .trained(let task, _, _), .prepared(let task, _, _, _), .scored(let task, _, _, _),
            .embedded(let task, _, _, _), .compared(let task, _), .failed(let task, _, _):
            task
        case .hello, .heartbeat, .need, .lacks, .progress, .staged, .withdrawn, .wants, .handed, .released, .holds,
            .cleared, .leaving, .goodbye:
            nil
        }
    }
}
