/// What it took to keep the stages and checkpoints of one training.
public struct KeepingReport: Codable, Hashable, Sendable {
    /// Stages that were made.
    public var stages: Int
    /// Checkpoints that were made; what a slow disk has no time for is left out.
    public var checkpoints: Int
    /// Hashing them, by the thread that trains, and sealing and syncing them, by another one beside it, which waits for the disk.
    public var seconds: Double
    /// Of these on a processor: what the training was slowed down by at most.
    public var processorSeconds: Double

    public init(stages: Int = 0, checkpoints: Int = 0, seconds: Double = 0, processorSeconds: Double = 0) {
        self.stages = stages
        self.checkpoints = checkpoints
        self.seconds = seconds
        self.processorSeconds = processorSeconds
    }

    /// The thread that trains was busy with it since this moment.
    mutating func add(since start: ContinuousClock.Instant) {
        let spent = (ContinuousClock.now - start) / .seconds(1)
        seconds += spent
        processorSeconds += spent
    }

    public var isEmpty: Bool { stages == 0 && checkpoints == 0 }
}
