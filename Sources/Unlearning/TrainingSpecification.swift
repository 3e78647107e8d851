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
    public var schedule: RateSchedule
    /// Share of the features that an adapter reads that a step leaves out (`FeatureDropout`).
    public var dropout: Double
    /// Share of a shard's prompts that are not trained on; which epoch's adapter is kept is chosen by them.
    public var heldOut: Double
    /// How many slices a shard's prompts are trained in, one after the other (`SliceDealing`).
    public var slices: Int
    /// Which of the parameters that it passes through become the adapter.
    public var averaging: WeightAveraging

    public init(
        base: String, precision: Precision, lora: LoRAConfiguration = LoRAConfiguration(), seed: UInt64 = 0,
        epochs: Int = 2, batch: Int = Self.defaultBatch, learningRate: Double = 1e-3, warmupSteps: Int = 0,
        weightDecay: Double = 0, schedule: RateSchedule = .constant, dropout: Double = 0, heldOut: Double = 0,
        slices: Int = 1, averaging: WeightAveraging = .none
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
        self.schedule = schedule
        self.dropout = dropout
        self.heldOut = heldOut
        self.slices = slices
        self.averaging = averaging
    }
}

// What came later is written only where it is used, so that the digest of a specification without it stays what it was.
extension TrainingSpecification {
    private enum CodingKeys: String, CodingKey {
        case base, precision, lora, seed, epochs, batch, learningRate, warmupSteps, weightDecay
        case schedule, dropout, heldOut, slices, averaging
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            base: try container.decode(String.self, forKey: .base),
            precision: try container.decode(Precision.self, forKey: .precision),
            lora: try container.decode(LoRAConfiguration.self, forKey: .lora),
            seed: try container.decode(UInt64.self, forKey: .seed),
            epochs: try container.decode(Int.self, forKey: .epochs),
            batch: try container.decode(Int.self, forKey: .batch),
            learningRate: try container.decode(Double.self, forKey: .learningRate),
            warmupSteps: try container.decode(Int.self, forKey: .warmupSteps),
            weightDecay: try container.decode(Double.self, forKey: .weightDecay),
            schedule: try container.decodeIfPresent(RateSchedule.self, forKey: .schedule) ?? .constant,
            dropout: try container.decodeIfPresent(Double.self, forKey: .dropout) ?? 0,
            heldOut: try container.decodeIfPresent(Double.self, forKey: .heldOut) ?? 0,
            slices: try container.decodeIfPresent(Int.self, forKey: .slices) ?? 1,
            averaging: try container.decodeIfPresent(WeightAveraging.self, forKey: .averaging) ?? .none)
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(base, forKey: .base)
        try container.encode(precision, forKey: .precision)
        try container.encode(lora, forKey: .lora)
        try container.encode(seed, forKey: .seed)
        try container.encode(epochs, forKey: .epochs)
        try container.encode(batch, forKey: .batch)
        try container.encode(learningRate, forKey: .learningRate)
        try container.encode(warmupSteps, forKey: .warmupSteps)
        try container.encode(weightDecay, forKey: .weightDecay)
        if schedule != .constant { try container.encode(schedule, forKey: .schedule) }
        if dropout != 0 { try container.encode(dropout, forKey: .dropout) }
        if heldOut != 0 { try container.encode(heldOut, forKey: .heldOut) }
        if slices != 1 { try container.encode(slices, forKey: .slices) }
        if averaging != .none { try container.encode(averaging, forKey: .averaging) }
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
