/// For what the attention is tuned.
struct TuningSubject: Hashable, Sendable {
    var adapters: [String]
    var validation: String
}
