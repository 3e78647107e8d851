/// For what the attention is tuned.
struct TuningSubject: Hashable, Sendable {
    /// `ShardIndex.revision`.
    var adapters: Int
    var validation: String
}
