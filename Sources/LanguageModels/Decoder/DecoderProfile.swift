/// Where a decoder's time goes: seconds and matrix-product work of each stage since the profile was started.
public struct DecoderProfile: Sendable, Hashable {
    public enum Stage: String, CaseIterable, Codable, Sendable {
        case embedding, projection, attention, output, mlp, lowRank, answer
        case mlpBackward, outputBackward, attentionBackward, projectionBackward, lowRankBackward, gradientSum

        var order: Int {
            switch self {
            case .embedding: 0
            case .projection: 1
            case .attention: 2
            case .output: 3
            case .mlp: 4
            case .lowRank: 5
            case .answer: 6
            case .mlpBackward: 7
            case .outputBackward: 8
            case .attentionBackward: 9
            case .projectionBackward: 10
            case .lowRankBackward: 11
            case .gradientSum: 12
            }
        }
    }

    public struct Entry: Sendable, Hashable {
        public var stage: Stage
        /// Processor time, summed over the threads.
        public var seconds: Double
        /// Floating-point operations of oneDNN's products (a multiplication and an addition count two).
        public var operations: Double
    }

    public var threads: Int
    /// In the order of `Stage.allCases`.
    public var entries: [Entry]
}
