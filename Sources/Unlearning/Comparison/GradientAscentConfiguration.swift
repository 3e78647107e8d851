/// Everything but data and model that determines a forgetting by gradient ascent, and by teachers.
public struct GradientAscentConfiguration: Codable, Hashable, Sendable {
    /// Passes over the forgotten prompts.
    public var epochs: Int
    /// Optimiser steps at most.
    public var steps: Int
    /// Prompts of a step.
    public var batch: Int
    public var learningRate: Double
    /// Mean KL divergence, in nats, of the probes' answers from what they were that all steps together may cause.
    public var divergenceCap: Double
    /// Retained prompts that are watched.
    public var probes: Int
    /// Key of the order of prompts and of the choice of probes.
    public var seed: UInt64

    public init(
        epochs: Int = 1, steps: Int = 8, batch: Int = 16, learningRate: Double = 5e-4, divergenceCap: Double = 0.1,
        probes: Int = 32, seed: UInt64 = 0
    ) {
        self.epochs = epochs
        self.steps = steps
        self.batch = batch
        self.learningRate = learningRate
        self.divergenceCap = divergenceCap
        self.probes = probes
        self.seed = seed
    }

    /// - Throws: `UnlearningError.invalidSpecification`.
    public func check() throws {
        let problems: [(Bool, String)] = [
            (
                [epochs, steps].allSatisfy(TrainingSpecification.epochBounds.contains),
                "epochs and steps must be \(TrainingSpecification.epochBounds.inWords)"
            ),
            (
                TrainingSpecification.batchBounds.contains(batch),
                "a batch must be \(TrainingSpecification.batchBounds.inWords) prompts"
            ),
            (
                TrainingSpecification.learningRateBounds.contains(learningRate),
                "the learning rate must be \(TrainingSpecification.learningRateBounds.inWords)"
            ),
            (divergenceCap.isFinite && divergenceCap > 0, "the cap on the divergence must be positive"),
            ((1...(1 << 20)).contains(probes), "the probes must be from 1 to \(1 << 20)"),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
