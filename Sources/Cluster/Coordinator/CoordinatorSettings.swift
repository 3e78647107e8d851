import LanguageModels
import Unlearning

/// What the coordinator is told at its start. Nothing here changes while it runs.
public struct CoordinatorSettings: Sendable {
    /// A name for people and for the workers' `welcome`.
    public var cluster: String
    /// What the cluster is; its base model and precision are what a worker must have.
    public var configuration: ClusterConfiguration
    /// Values of one embedding: the base model's hidden size. An answer of another width is refused.
    public var embeddingWidth: Int
    /// Fingerprint of the coordinator's own arithmetic. nil: that of the first admitted worker is pinned.
    public var arithmetic: String?
    /// Mixtures that `evaluate` scores besides the base model and each adapter alone.
    public var mixtures: [EvaluationMixture]
    public var heartbeatSeconds: Double
    /// Heartbeats that may be missing before a worker counts as lost.
    public var liveness: Int
    /// Prompts of one embedding or scoring task.
    public var chunk: Int
    /// Which shards that a forget retrains a second worker trains too, before the certificate is signed.
    public var doubleCheck: DoubleCheckRule
    /// A live worker that says nothing about a task for so long has lost it: the task is cancelled and given out again.
    public var silenceSeconds: Double
    /// Ids of tasks start here. Above every id that an earlier run of the coordinator gave out: microseconds since 1970.
    public var firstTask: TaskID
    /// Which start of the cluster's coordinator this is; nil: nobody is told.
    public var generation: Generation?

    public struct EvaluationMixture: Hashable, Sendable {
        public var rule: AggregationRule
        /// What sample-adaptive attention looks at; nil: weights 1/K.
        public var attention: AttentionScope?

        public init(rule: AggregationRule, attention: AttentionScope?) {
            self.rule = rule
            self.attention = attention
        }
    }

    public init(
        cluster: String, configuration: ClusterConfiguration, embeddingWidth: Int, arithmetic: String? = nil,
        mixtures: [EvaluationMixture] = [
            EvaluationMixture(rule: .nonDecomposed, attention: .prompt),
            EvaluationMixture(rule: .decomposed, attention: .prompt),
            EvaluationMixture(rule: .nonDecomposed, attention: .history),
            EvaluationMixture(rule: .nonDecomposed, attention: nil),
        ],
        heartbeatSeconds: Double = 1, liveness: Int = 3, chunk: Int = 32, silenceSeconds: Double = 300,
        firstTask: TaskID = 1, doubleCheck: DoubleCheckRule = .one, generation: Generation? = nil
    ) {
        self.doubleCheck = doubleCheck
        self.cluster = cluster
        self.configuration = configuration
        self.embeddingWidth = max(1, embeddingWidth)
        self.arithmetic = arithmetic
        self.mixtures = mixtures
        self.heartbeatSeconds = heartbeatSeconds
        self.liveness = liveness
        self.chunk = max(1, chunk)
        self.silenceSeconds = silenceSeconds
        self.firstTask = firstTask
        self.generation = generation
    }
}

/// Bounds on everything that grows with what others send.
public enum CoordinatorLimits {
    /// The version of messages between coordinator and workers.
    public static let protocolVersion = Int(WireLimits.version)
    /// Workers admitted at once; lost ones that still hold data are remembered up to the same number.
    public static let workers = 256
    /// Shards that a worker may say it holds.
    public static let holdings = 4096
    /// Messages from a connection that another one with the same worker id replaced, before a third one is refused.
    public static let contestedMessages = 5
    /// Connections of one worker that replace each other more slowly than this are reconnections.
    public static let takeoverSeconds = 60.0
    /// Tasks of lost connections that are cancelled when the worker comes back.
    public static let abandonedTasks = 16
    /// Ended operations kept; the oldest are dropped first.
    public static let endedOperations = 128
    /// Trainings, evaluations and verifications running at once; more are refused with `busy`.
    public static let runningOperations = 16
    /// Forget requests running at once; more are refused with `busy`.
    public static let runningForgets = 1024
    /// Clients waiting for the commit of one request that was repeated while it ran.
    public static let waitersPerRequest = 8
    /// Tasks of one worker at once: one computes, the next waits so that the worker never does.
    public static let tasksPerWorker = 2
    /// Digests asked of the ledger at once.
    public static let missingRows = 4096
    /// Failures of one piece of work before its operations fail.
    public static let attempts = 3
    /// Pause before work that failed too often is tried again, for as long as someone still needs it.
    public static let pauseAfterFailureSeconds = 60.0
    /// Pause before something is asked again that a change of the data overtook.
    public static let staleSeconds = 0.5
    /// Until a worker that has not confirmed a deletion is told again.
    public static let releaseAgainSeconds = 10.0
    /// Times that an evaluation or verification starts anew because the data changed under it.
    public static let restarts = 32
    /// Back-off of ledger writes that failed.
    public static let ledgerRetrySeconds = 1.0...32.0
    /// Trainings of one shard whose bytes are kept to settle a dispute.
    public static let votes = 4
    /// Answers to declarations of destroyed disks that are kept for clients that ask again.
    public static let declarations = 64
    /// How long membership must have been quiet before data of trained shards is moved.
    public static let settleSeconds = 3.0
    /// Characters of a text from outside that are kept (worker names, error messages).
    public static let text = 400
}
