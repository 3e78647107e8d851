/// The mean of the adapters' margins, as SISA joins its shards (arXiv 1912.03817).
public enum MeanOfOutputs {
    /// - Parameter margins: `[adapters][prompts]`, rows of one length.
    /// - Returns: `[prompts]`.
    public static func margins(_ margins: [[Float]]) -> [Float] {
        guard let first = margins.first else { return [] }
        precondition(margins.allSatisfy { $0.count == first.count }, "every adapter needs a margin for every prompt")
        return first.indices.map { prompt in
            Float(margins.reduce(0) { $0 + Double($1[prompt]) } / Double(margins.count))
        }
    }
}
