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
    /// The same for tasks that tell of their steps, trainings and data to keep, from the last news of the task itself. Twice
    /// as long after each time that the work failed, up to `silenceSeconds`.
    package var progressSeconds: Double
    /// Ids of tasks start here. Above every id that an earlier run of the coordinator gave out: microseconds since 1970.
    package var firstTask: TaskID
    /// Which start of the cluster's coordinator this is; nil: nobody is told.
    package var generation: Generation?
    /// Workers that there should be; nil: nobody said.
    package var expectedWorkers: Int?

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
        progressSeconds: Double = 60, firstTask: TaskID = 1, doubleCheck: DoubleCheckRule = .one,
        generation: Generation? = nil, expectedWorkers: Int? = nil
    ) {
        self.expectedWorkers = expectedWorkers
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
        self.progressSeconds = progressSeconds
        self.firstTask = firstTask
        self.generation = generation
    }
}
