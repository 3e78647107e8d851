import Compute
import LanguageModels

/// Everything but the data that determines an adapter. Together with the base model's digest and the shard's manifest it
/// determines every byte of the result (invariant: exact means bit-exact replay).
public struct TrainingSpecification: Codable, Hashable, Sendable {
    public enum Precision: String, Codable, CaseIterable, Sendable { case bf16, f32 }

    /// `Checkpoint.digest` of the base model.
    public var base: String
    public var precision: Precision
    public var lora: LoRAConfiguration
    public var seed: UInt64
    public var epochs: Int
    /// Prompts per optimiser step.
    public var batch: Int
    /// The best on the validation split of the movie set.
    public static let defaultBatch = 4
    public var learningRate: Double
    public var warmupSteps: Int
    public var weightDecay: Double

    public init(
        base: String, precision: Precision, lora: LoRAConfiguration = LoRAConfiguration(), seed: UInt64 = 0,
        epochs: Int = 2, batch: Int = Self.defaultBatch, learningRate: Double = 1e-3, warmupSteps: Int = 0,
        weightDecay: Double = 0
    ) {
        self.base = base
        self.precision = precision
        self.lora = lora
        self.seed = seed
        self.epochs = epochs
        self.batch = batch
        self.learningRate = learningRate
        self.warmupSteps = warmupSteps
        self.weightDecay = weightDecay
    }
}

extension Precision {
    /// The decoder's name of a specification's precision.
    public init(_ precision: TrainingSpecification.Precision) {
        switch precision {
        case .bf16: self = .bf16
        case .f32: self = .f32
        }
    }
}

extension TrainingSpecification.Precision {
    /// bf16 where the processor multiplies it, f32 elsewhere.
    public static var preferred: TrainingSpecification.Precision { Element.hasFastBfloat16 ? .bf16 : .f32 }
}
