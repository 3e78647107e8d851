/// One tried pair of parameters.
public struct AttentionTrial: Codable, Hashable, Sendable {
    public var parameters: SampleAdaptiveAttention.Parameters
    /// Of the weighted margins on validation, leave-one-out.
    public var logLoss: Double

    public init(parameters: SampleAdaptiveAttention.Parameters, logLoss: Double) {
        self.parameters = parameters
        self.logLoss = logLoss
    }
}

extension SampleAdaptiveAttention {
    /// Chooses τ and n on validation.
    ///
    /// - Parameters:
    ///   - margins: `[adapters][samples]` on validation.
    public static func tune(
        ids: [String], embeddings: [Float], dimension: Int, margins: [[Float]], labels: [Bool],
        taus: [Double] = [0, 1, 3, 10, 30, 100, 300, 1000], neighbours: [Int] = [5, 10, 20, 50, 100]
    ) throws -> (best: Parameters, trials: [AttentionTrial]) {
        (Parameters(tau: 0, neighbours: 20), [])
    }
}
