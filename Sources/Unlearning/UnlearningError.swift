/// What can stop a partition, a training or an aggregation. Every message says which sample or value it was.
public enum UnlearningError: Error, Hashable, Sendable {
    case noSamples
    case invalidSpecification(reason: String)
    /// `sample` is the prompt's id.
    case emptyPrompt(sample: String)
    case duplicateSample(id: String)
    /// Two prompts of one task are answered by different words or stand in different layouts.
    case differentWords(sample: String, other: String)
    /// A NaN or an infinity.
    case notFinite(what: String)
    case cancelled
    /// The prompt says that it is of a slice that there is not.
    case noSuchSlice(sample: String, slice: Int, slices: Int)
    /// A part of a training that ends before it begins, or where no training in these slices ends.
    case noSuchTraining(first: Int, last: Int, slices: Int)
    /// What a training should go on from was left by another one.
    case foreignStage(name: String)
    /// The bytes are those of no stage.
    case malformedStage(reason: String)
    case wrongShape(what: String, expected: Int, found: Int)
    /// No adapter may carry weight: every one is quarantined.
    case noAdapter
}

extension UnlearningError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSamples: "there are no samples to train on"
        case .invalidSpecification(let reason): "invalid specification: \(reason)"
        case .emptyPrompt(let sample): "prompt \(sample) has no tokens"
        case .duplicateSample(let id): "sample \(id) occurs twice"
        case .differentWords(let sample, let other):
            "the prompts \(sample) and \(other) have different templates or answer words; an adapter has one pair"
        case .notFinite(let what): "\(what) holds a value that is not a finite number"
        case .cancelled: "cancelled"
        case .noSuchSlice(let sample, let slice, let slices):
            "prompt \(sample) is dealt to slice \(slice) of \(slices)"
        case .noSuchTraining(let first, let last, let slices):
            "there is no training of the slices \(first) to \(last) of \(slices)"
        case .foreignStage(let name): "stage \(name) was left by another training"
        case .malformedStage(let reason): "the stored stage is damaged: \(reason)"
        case .wrongShape(let what, let expected, let found): "\(what) has \(found) values instead of \(expected)"
        case .noAdapter: "no adapter may answer: all are quarantined"
        }
    }
}
