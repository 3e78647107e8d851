import Files
import LanguageModels

/// What a training in slices had come to after one of them, as whoever made it says it and the ledger keeps it: what an auditor
/// compares a replay of that slice with.
public struct StageReport: Codable, Hashable, Sendable {
    /// The last slice that was trained, from 1. Slices without prompts have none: what there was before them stands for them.
    public var slice: Int
    /// `StageNames`: of the specification, the arithmetic and the data so far. After the last slice the adapter's content name.
    public var name: String
    /// SHA-256 of the stage's bytes as `TrainingStage` writes them, in hexadecimal; of the adapter its content name. nil: whoever
    /// says this did not see them.
    public var digest: String?
    /// How many these are.
    public var bytes: Int?

    public init(slice: Int, name: String, digest: String? = nil, bytes: Int? = nil) {
        self.slice = slice
        self.name = name
        self.digest = digest
        self.bytes = bytes
    }
}

extension StageReport {
    /// After the last slice.
    init(slice: Int, adapter: Adapter) {
        let bytes = adapter.safetensorsBytes()
        let name = sha256(bytes)
        self.init(slice: slice, name: name, digest: name, bytes: bytes.count)
    }
}
