import Messages

/// What the coordinator is told at its start. Nothing here changes while it runs.
package struct CoordinatorSettings: Sendable {
    /// A name for people and for the workers' `welcome`.
    package var cluster: String
    /// What the cluster is; its base model and precision are what a worker must have.
    package var configuration: ClusterConfiguration
    /// Values of one embedding: the base model's hidden size. An answer of another width is refused.
    package var embeddingWidth: Int
    /// Fingerprint of the coordinator's own arithmetic. nil: that of the first admitted worker is pinned.
    package var arithmetic: String?
    /// Mixtures that `evaluate` scores besides the base model and each adapter alone.
    package var mixtures: [EvaluationMixture]
    package var heartbeatSeconds: Double
    /// Heartbeats that may be missing before a worker counts as lost.
    package var liveness: Int
    /// Prompts of one embedding or scoring task.
    package var chunk: Int
    /// Which shards that a forget retrains a second worker trains too, before the certificate is signed.
    package var doubleCheck: DoubleCheckRule
    /// A live worker that says nothing about a task for so long has lost it: the task is cancelled and given out again.
    package var silenceSeconds: Double
    /// Ids of tasks start here. Above every id that an earlier run of the coordinator gave out: microseconds since 1970.
    package var firstTask: TaskID
    /// Which start of the cluster's coordinator this is; nil: nobody is told.
    package var generation: Generation?

    package struct EvaluationMixture: Hashable, Sendable {
        package var rule: AggregationRule
        /// What sample-adaptive attention looks at; nil: weights 1/K.
        package var attention: AttentionScope?

        package init(rule: AggregationRule, attention: AttentionScope?) {
            self.rule = rule
            self.attention = attention
        }
    }

    package init(
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
package enum CoordinatorLimits {
    /// The version of messages between coordinator and workers.
    package static let protocolVersion = Int(WireLimits.version)
    /// Workers admitted at once; lost ones that still hold data are remembered up to the same number.
    package static let workers = 256
    /// Shards that a worker may say it holds.
    package static let copies = WireLimits.copies
    /// Messages from a connection that another one with the same worker id replaced, before a third one is refused.
    package static let contestedMessages = 5
    /// Connections of one worker that replace each other more slowly than this are reconnections.
    package static let takeoverSeconds = 60.0
    /// Tasks of lost connections that are cancelled when the worker comes back.
    package static let abandonedTasks = 16
    /// Ended operations kept; the oldest are dropped first.
    package static let endedOperations = 128
    /// Trainings, evaluations and verifications running at once; more are refused with `busy`.
    package static let runningOperations = 16
    /// Forget requests running at once; more are refused with `busy`.
    package static let runningForgets = 1024
    /// Clients waiting for the commit of one request that was repeated while it ran.
    package static let waitersPerRequest = 8
    /// Tasks of one worker at once: one computes, the next waits so that the worker never does.
    package static let tasksPerWorker = 2
    /// Digests asked of the ledger at once.
    package static let missingValues = 4096
    /// Failures of one piece of work before its operations fail.
    package static let attempts = 3
    /// Pause before work that failed too often is tried again, for as long as someone still needs it.
    package static let pauseAfterFailureSeconds = 60.0
    /// Pause before something is asked again that a change of the data overtook.
    package static let staleSeconds = 0.5
    /// Until a worker that has not confirmed a deletion is told again.
    package static let releaseAgainSeconds = 10.0
    /// Times that an evaluation or verification starts anew because the data changed under it.
    package static let restarts = 32
    /// Back-off of ledger writes that failed.
    package static let ledgerRetrySeconds = 1.0...32.0
    /// Trainings of one shard whose bytes are kept to settle a dispute.
    package static let votes = 4
    /// Answers to declarations of destroyed disks that are kept for clients that ask again.
    package static let declarations = 64
    /// How long membership must have been quiet before data of trained shards is moved.
    package static let settleSeconds = 3.0
    /// Characters of a text from outside that are kept (worker names, error messages).
    package static let text = WireLimits.text
}
