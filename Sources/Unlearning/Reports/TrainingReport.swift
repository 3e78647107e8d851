import LanguageModels

/// How one adapter came about. It is made where the adapter is, and goes unchanged from there over the wire into the ledger,
/// into certificates and into replies.
public struct TrainingReport: Codable, Hashable, Sendable {
    /// Content name of the adapter: SHA-256 of its safetensors bytes, in hexadecimal.
    public var adapter: String
    /// `ShardManifest.digest` of the prompts that it was trained on, or corrected towards.
    public var manifest: String
    /// How many these are.
    public var prompts: Int
    /// Everything else that determines a training.
    public var specification: TrainingSpecification
    /// Optimiser steps, those that a stage holds included.
    public var steps: Int
    /// Prompt tokens of the data times epochs, those that a stage holds included; those of held-out prompts, which are scored
    /// only, do not count.
    public var tokens: Int
    /// From the first prompt that is read to the adapter's name; of a training that went on after it was cut off, from there. Of all
    /// fields only this, the next, `resumedAfter`, `keeping` and what `slices` says of where the training began are no function of
    /// the inputs.
    public var seconds: Double
    /// Of these in forward, backward and optimiser.
    public var computeSeconds: Double
    /// Mean loss of each epoch in nats, every prompt under the adapter of its step. Empty of a correction.
    public var epochLosses: [Double]
    /// nil: no prompts were held out.
    public var heldOut: HeldOutReport?
    /// nil: trained from the initial adapter.
    public var correction: CorrectionReport?
    /// nil: trained in one slice.
    public var slices: SlicesReport?
    /// Steps that the training had taken when it was cut off, and went on after; nil: it went on from no checkpoint.
    public var resumedAfter: Int?
    /// What it took to keep stages and checkpoints; nil: none were made, or a release made the report that does not say.
    public var keeping: KeepingReport?

    private enum CodingKeys: String, CodingKey {
        case adapter, manifest, prompts, specification, steps, tokens, seconds, computeSeconds, epochLosses, heldOut,
            slices, resumedAfter, keeping
        case correction = "approximation"
    }

    public init(
        adapter: String, manifest: String, prompts: Int, specification: TrainingSpecification, steps: Int, tokens: Int,
        seconds: Double, computeSeconds: Double, epochLosses: [Double], heldOut: HeldOutReport? = nil,
        correction: CorrectionReport? = nil, slices: SlicesReport? = nil, resumedAfter: Int? = nil,
        keeping: KeepingReport? = nil
    ) {
        self.keeping = keeping
        self.resumedAfter = resumedAfter
        self.adapter = adapter
        self.manifest = manifest
        self.prompts = prompts
        self.specification = specification
        self.steps = steps
        self.tokens = tokens
        self.seconds = seconds
        self.computeSeconds = computeSeconds
        self.epochLosses = epochLosses
        self.heldOut = heldOut
        self.correction = correction
        self.slices = slices
    }

    /// Whether training on the manifest gives the adapter's bytes again.
    public var isExact: Bool { correction == nil }

    /// Whether everything of the adapter was trained for this report, nothing taken from a stage or a checkpoint and nothing left
    /// out.
    public var isWhole: Bool { resumedAfter == nil && slices.map { $0.first == 1 && $0.stage == nil } ?? true }

    /// Whether the adapter is what a training had come to before its last slices.
    public var isStage: Bool { slices?.stage != nil }
}

/// How much of a training in slices was computed, and how much was taken from a stage.
public struct SlicesReport: Codable, Hashable, Sendable {
    /// How many slices the shard's prompts are dealt to.
    public var count: Int
    /// The first slice that was trained, from 1: the training went on from the stage after the slice before it, or began at
    /// the initial adapter.
    public var first: Int
    /// Prompt tokens that were trained, times epochs; the rest of `TrainingReport.tokens` was in the stage.
    public var tokens: Int
    /// Of an adapter that is a stage: the last slice that it was trained on; manifest and prompts are of the slices up to it.
    /// nil: of all.
    public var stage: Int?
    /// One for each slice with prompts, in their order: with a digest for those that this training passed or began at, and those
    /// before it that lie on the worker's disk. nil: it was made where no stages are kept, or by a release that does not say.
    public var stages: [StageReport]?

    public init(count: Int, first: Int, tokens: Int, stage: Int? = nil, stages: [StageReport]? = nil) {
        self.stages = stages
        self.stage = stage
        self.count = count
        self.first = first
        self.tokens = tokens
    }
}
