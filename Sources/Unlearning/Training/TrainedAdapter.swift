import LanguageModels

/// Where a training stands, after every optimiser step.
public struct TrainingProgress: Hashable, Sendable {
    /// Steps done, of `steps`.
    public var step: Int
    public var steps: Int
    /// Counted from 0.
    public var epoch: Int
    /// Mean loss of the step's batch, in nats.
    public var loss: Double
    /// Prompt tokens done, of `totalTokens` (all epochs).
    public var tokens: Int
    public var totalTokens: Int

    public init(step: Int, steps: Int, epoch: Int, loss: Double, tokens: Int, totalTokens: Int) {
        self.step = step
        self.steps = steps
        self.epoch = epoch
        self.loss = loss
        self.tokens = tokens
        self.totalTokens = totalTokens
    }
}

/// The result of a training.
public struct TrainedAdapter: Sendable {
    public var adapter: Adapter
    public var report: TrainingReport

    public init(adapter: Adapter, report: TrainingReport) {
        self.adapter = adapter
        self.report = report
    }
}
