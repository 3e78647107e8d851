import Compute
import LanguageModels

/// What a training has come to after one of its slices: a pure function of the specification and of the slices so far, from
/// which it goes on to the same bytes.
///
/// A checkpoint is what it has come to in the middle of a slice. From there, too, it goes on to the same bytes; but at which step
/// one is made depends on the clock, and it is never an adapter that answers.
public struct TrainingStage: Hashable, Sendable {
    /// `StageNames`
    public let name: String
    /// The last slice that was trained, from 1; of a checkpoint the one that is being trained.
    public let slice: Int
    public let isCheckpoint: Bool
    let state: TrainingState

    init(name: String, slice: Int, state: TrainingState, isCheckpoint: Bool = false) {
        self.name = name
        self.slice = slice
        self.state = state
        self.isCheckpoint = isCheckpoint
    }

    /// Optimiser steps so far.
    public var steps: Int { state.optimiser.steps }

    /// Prompt tokens that were trained, times epochs.
    public var tokens: Int { state.tokens }
    /// The adapter's parameters.
    public var values: [Float] { state.adapter }

    /// What its numbers take, in memory as on a disk.
    package var byteCount: Int { state.byteCount }
}

/// What one optimiser step leaves to the next.
struct TrainingState: Hashable, Sendable {
    /// The adapter's.
    var values: [Float]
    var optimiser: AdamW
    /// Prompt tokens so far, times epochs.
    var tokens = 0
    /// Of each epoch, in nats, of all slices so far.
    var lossSums: [Double]
    /// With a `WeightAveraging` that has one.
    var average: ParameterMean?

    init(values: [Float], optimiser: AdamW, lossSums: [Double]) {
        self.values = values
        self.optimiser = optimiser
        self.lossSums = lossSums
    }

    init(initial adapter: Adapter, specification: TrainingSpecification) {
        self.init(
            values: adapter.values,
            optimiser: AdamW(count: adapter.values.count, weightDecay: Float(specification.weightDecay)),
            lossSums: [Double](repeating: 0, count: specification.epochs))
        if specification.averaging != .none { average = ParameterMean(count: adapter.values.count) }
    }

    /// As numbers on a disk.
    var byteCount: Int { 4 * values.count * (average == nil ? 3 : 4) }

    /// The parameters that answer.
    var adapter: [Float] { average.flatMap { $0.moments > 0 ? $0.mean : nil } ?? values }
}

/// The mean of parameters at several moments of a training, which come one after the other.
struct ParameterMean: Hashable, Sendable {
    private(set) var mean: [Float]
    /// How many there were; the mean of none is zero.
    private(set) var moments: Int

    init(count: Int) {
        mean = [Float](repeating: 0, count: count)
        moments = 0
    }

    /// nil: it cannot be a mean of so many.
    init?(mean: [Float], moments: Int) {
        guard moments > 0 else { return nil }
        self.mean = mean
        self.moments = moments
    }

    /// The difference is divided, not a sum, so that many moments lose no more digits than few.
    ///
    /// - Parameter degree: η of `WeightAveraging`: of the moment t the weight is that of the one before times (t + η − 1)/(t − 1).
    mutating func add(_ values: [Float], degree: Float) {
        precondition(values.count == mean.count, "parameters of another shape")
        moments += 1
        let share = (Float(moments) + degree) / (degree + 1)
        for index in mean.indices { mean[index] += (values[index] - mean[index]) / share }
    }
}

/// A stage that is to answer until a training is done: the one that it begins at, or the last before its checkpoint.
public struct AnsweringStage {
    /// How many of the shard's prompts it has to give numbers for.
    static let prompts = 4

    public var stage: TrainingStage
    /// Called before the first step; never, if this training cannot go on from the stage, or it answers with what are no numbers.
    public var isUsable: () -> Void

    public init(stage: TrainingStage, isUsable: @escaping () -> Void) {
        self.stage = stage
        self.isUsable = isUsable
    }
}

extension TrainingStage {
    /// Whether the adapter that would answer gives numbers for these prompts: finite parameters may overflow in what is computed
    /// with them.
    ///
    /// - Throws: what the model throws.
    func answers(
        _ samples: ArraySlice<AdapterTraining.Sample>, model: any AnswerModel, layout: AdapterLayout
    ) throws -> Bool {
        guard state.isFinite else { return false }
        let adapter = AdapterMixture([Adapter(layout: layout, values: values)])
        let logits = try model.answerLogits(prompts: samples.map(\.tokens), adapters: adapter, weights: nil)
        return logits.allSatisfy { $0.yes.isFinite && $0.no.isFinite }
    }
}

/// Where a training in slices begins, and who is given its stages.
public struct StageKeeping {
    /// `ArithmeticFingerprint` of the machine.
    public var arithmetic: String
    /// nil: begin at the initial adapter.
    public var first: TrainingStage?
    /// The slice that the training ends after; nil: the last. What comes out before that is the stage, as an adapter.
    public var last: Int?
    /// nil: none of it answers meanwhile.
    public var answering: AnsweringStage?
    /// How long to train before a checkpoint is made; nil: none is.
    public var checkpointInterval: Duration?
    /// Called after every slice with prompts but the last, and with the checkpoints in between.
    public var keep: (TrainingStage) -> Void

    public init(
        arithmetic: String, first: TrainingStage? = nil, last: Int? = nil, answering: AnsweringStage? = nil,
        checkpointInterval: Duration? = nil, keep: @escaping (TrainingStage) -> Void = { _ in }
    ) {
        self.arithmetic = arithmetic
        self.first = first
        self.last = last
        self.answering = answering
        self.checkpointInterval = checkpointInterval
        self.keep = keep
    }
}

/// When the next checkpoint is due.
struct CheckpointPace {
    /// A disk that writes 100 MB a second is then busy with them for a hundredth of the time.
    private static let bytesEachSecond = 1e6

    private let interval: Duration
    private var last: ContinuousClock.Instant

    /// - `bytes`: of one.
    init(_ interval: Duration, bytes: Int, from start: ContinuousClock.Instant) {
        self.interval = interval == .zero ? .zero : max(interval, .seconds(Double(bytes) / Self.bytesEachSecond))
        last = start
    }

    mutating func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard now - last >= interval else { return false }
        last = now
        return true
    }
}

extension TrainingStage {
    /// The stage as an adapter that answers: trained exactly, on the prompts of its slices. nil: it has another shape.
    ///
    /// - `data`: of these slices.
    public func trained(
        on data: StageData, model: ModelConfiguration, specification: TrainingSpecification
    ) -> TrainedAdapter? {
        let layout = AdapterLayout(model: model, configuration: specification.lora)
        guard !isCheckpoint, state.isUsable(layout, specification), data.prompts > 0 else { return nil }
        let adapter = Adapter(layout: layout, values: values)
        return TrainedAdapter(
            adapter: adapter,
            report: TrainingReport(
                adapter: adapter.contentName, manifest: data.manifest, prompts: data.prompts,
                specification: specification, steps: state.optimiser.steps, tokens: tokens, seconds: 0,
                computeSeconds: 0, epochLosses: state.lossSums.map { $0 / Double(data.prompts) },
                slices: SlicesReport(count: specification.slices, first: slice + 1, tokens: 0, stage: slice)))
    }
}
