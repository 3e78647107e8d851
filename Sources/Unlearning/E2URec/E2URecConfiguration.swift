/// Everything but data, model and adapter that determines a forgetting by E2URec (arXiv 2403.03536).
///
/// Defaults are those of the paper's script for ML-1M, with these differences. The paper adds a new LoRA of rank 16 and
/// α 32 to a model trained at full size; here the trained adapter itself, in the layout of its shard, is trained on, so
/// that the student is a normal adapter of the shard. The augmented model, which the paper trains at full size with
/// a rate of 5e-5, is an adapter too, with an adapter's rate. The paper's forget sets have thousands of prompts, a shard's a
/// handful, which are a step or two: every prompt has its own α (`E2URecTeacher`), the student goes over the forget set until
/// it has followed, and pairs follow for several epochs.
public struct E2URecConfiguration: Codable, Hashable, Sendable {
    /// β: weight of forgetting against remembering, 0...1.
    public var beta: Double
    /// α: how far the forgetting teacher steps back from what the augmented model gained; 0 or more. nil: from each prompt until
    /// it is no surer of the label than how often people say "Yes" makes it, which takes no augmented model.
    public var alpha: Double?
    /// Epochs of the augmented model on the forget set, where α is given.
    public var augmentedEpochs: Int
    public var augmentedLearningRate: Double
    /// Epochs of the student on the forget set alone, before pairs, at most: none is begun once its loss there is near the
    /// teacher's.
    public var forgetEpochs: Int
    /// Epochs of pairs of one forget and one retained batch; as many pairs as the smaller set has batches.
    public var pairEpochs: Int
    /// Prompts of a batch; a pair has twice as many.
    public var batch: Int
    public var learningRate: Double
    public var weightDecay: Double
    /// Key of the order of prompts.
    public var seed: UInt64

    public init(
        beta: Double = 0.4, alpha: Double? = nil, augmentedEpochs: Int = 1, augmentedLearningRate: Double = 1e-3,
        forgetEpochs: Int = 8, pairEpochs: Int = 4, batch: Int = 16, learningRate: Double = 1e-3,
        weightDecay: Double = 0.01, seed: UInt64 = 0
    ) {
        self.beta = beta
        self.alpha = alpha
        self.augmentedEpochs = augmentedEpochs
        self.augmentedLearningRate = augmentedLearningRate
        self.forgetEpochs = forgetEpochs
        self.pairEpochs = pairEpochs
        self.batch = batch
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.seed = seed
    }

    /// - Throws: `UnlearningError.invalidSpecification`.
    public func check() throws {
        let problems: [(Bool, String)] = [
            ((0...1).contains(beta), "β must lie between 0 and 1"),
            ((0...1e6).contains(alpha ?? 0), "α must be from 0 to 1000000"),
            (
                TrainingSpecification.epochBounds.contains(augmentedEpochs),
                "the epochs of the augmented model must be \(TrainingSpecification.epochBounds.inWords)"
            ),
            (
                [forgetEpochs, pairEpochs].allSatisfy((0...TrainingSpecification.epochBounds.upperBound).contains),
                "the student's epochs must be from 0 to \(TrainingSpecification.epochBounds.upperBound)"
            ),
            (max(forgetEpochs, pairEpochs) >= 1, "the student needs at least one epoch"),
            (
                TrainingSpecification.batchBounds.contains(batch),
                "a batch must be \(TrainingSpecification.batchBounds.inWords) prompts"
            ),
            (
                [learningRate, augmentedLearningRate].allSatisfy(TrainingSpecification.learningRateBounds.contains),
                "the learning rates must be \(TrainingSpecification.learningRateBounds.inWords)"
            ),
            (
                TrainingSpecification.weightDecayBounds.contains(weightDecay),
                "the weight decay must be \(TrainingSpecification.weightDecayBounds.inWords)"
            ),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
