import LanguageModels
import Recommendation

/// Prompts of a shard that are not trained on: their loss after each epoch tells which epoch's adapter is kept.
///
/// They are chosen by a keyed hash of their ids, so a shard's adapter stays a pure function of the shard's own prompts: no
/// other person's data decides when its training ends, and whom a forget does not touch stays where they were.
extension TrainingSpecification {
    /// Whether a prompt of this id is held out.
    public func holdsOut(_ id: String) -> Bool {
        guard heldOut > 0 else { return false }
        return Double(FieldHash.number(["held out", String(seed), id])) < heldOut * 0x1p64
    }

    /// The prompts that a training on these learns from.
    public func learned(of prompts: [TrainingPrompt]) -> [TrainingPrompt] {
        heldOut > 0 ? split(prompts.map(\.id)).trained.map { prompts[$0] } : prompts
    }

    /// Positions in `ids` to train on and to hold out. Where nothing would be left to train on, nothing is held out.
    func split(_ ids: [String]) -> (trained: [Int], heldOut: [Int]) {
        let (trained, held) = (ids.indices.filter { !holdsOut(ids[$0]) }, ids.indices.filter { holdsOut(ids[$0]) })
        return trained.isEmpty ? (held, []) : (trained, held)
    }
}

/// What the held-out prompts said of a training.
public struct HeldOutReport: Codable, Hashable, Sendable {
    /// How many they were.
    public var prompts: Int
    /// Their mean loss after each epoch, in nats.
    public var epochLosses: [Double]
    /// The epoch, from 1, whose adapter was kept: that of the smallest loss, the first of equals.
    public var epoch: Int

    private enum CodingKeys: String, CodingKey { case prompts, epochLosses, epoch }

    public init(prompts: Int, epochLosses: [Double], epoch: Int) {
        self.prompts = prompts
        self.epochLosses = epochLosses
        self.epoch = epoch
    }
}

/// Keeps the adapter of the epoch that the held-out prompts like best.
struct HeldOutSelection {
    private let samples: [AdapterTraining.Sample]
    private(set) var best: Adapter?
    private var losses: [Double] = []
    private var epoch = 0

    /// nil without samples.
    init?(_ samples: [AdapterTraining.Sample]) {
        guard !samples.isEmpty else { return nil }
        self.samples = samples
    }

    var report: HeldOutReport { HeldOutReport(prompts: samples.count, epochLosses: losses, epoch: epoch) }

    /// Prompts that are scored between two looks at whether to stop.
    private static let portion = 64

    /// Called after each epoch.
    ///
    /// - Throws: `UnlearningError.notFinite`, `.cancelled`; what the model throws.
    mutating func judge(_ adapter: Adapter, model: any AnswerModel, isCancelled: () -> Bool) throws {
        var sum = 0.0
        for start in stride(from: 0, to: samples.count, by: Self.portion) {
            if isCancelled() { throw UnlearningError.cancelled }
            let part = samples[start..<min(start + Self.portion, samples.count)]
            let logits = try model.answerLogits(
                prompts: part.map(\.tokens), adapters: AdapterMixture([adapter]), weights: nil)
            sum += zip(logits, part).reduce(0) { $0 + AdapterTraining.loss(margin: $1.0.margin, label: $1.1.label) }
        }
        guard sum.isFinite else { throw UnlearningError.notFinite(what: "the loss of the held-out prompts") }
        let loss = sum / Double(samples.count)
        if losses.allSatisfy({ loss < $0 }) { (best, epoch) = (adapter, losses.count + 1) }
        losses.append(loss)
    }
}
