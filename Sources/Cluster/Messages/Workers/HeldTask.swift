import Unlearning

/// A task that a worker goes on with over the loss of a connection, as it tells of it in its hello.
///
/// A coordinator that gave the task out knows it by its id. One that was started since knows a training by what it is a pure
/// function of: specification and manifest.
public struct HeldTask: Codable, Hashable, Sendable {
    /// What a training of a shard that the worker was assigned is a function of.
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
    /// nil: something else than the training of a shard.
    public var training: Training?
    /// How much of it is done, from 0 to 1.
    public var share: Double

    public init(task: TaskID, training: Training? = nil, share: Double = 0) {
        self.task = task
        self.training = training
        self.share = share
    }
}

extension WorkerMessage {
    /// The task that this is the whole answer to.
    package var answeredTask: TaskID? {
        switch self {
        case .trained(let task, _, _), .prepared(let task, _, _, _), .scored(let task, _, _, _),
            .embedded(let task, _, _, _), .compared(let task, _), .failed(let task, _, _):
            task
        case .hello, .heartbeat, .need, .lacks, .progress, .released, .holds, .cleared, .goodbye: nil
        }
    }
}
