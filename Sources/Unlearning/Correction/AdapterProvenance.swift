import LanguageModels

/// How an adapter came to be. Only a training from the initial adapter on retained data may be called exact.
public enum AdapterProvenance: Hashable, Sendable {
    case trained
    case approximate(ApproximateProvenance)

    public var isApproximate: Bool {
        if case .approximate = self { true } else { false }
    }
}

/// `{"approximate": {…}}`, or `{}` of a trained adapter.
extension AdapterProvenance: Codable {
    private enum CodingKeys: String, CodingKey { case approximate }
    /// What ledgers of before have: `{"approximate": {"_0": {…}}}`.
    private enum OlderValue: String, CodingKey { case provenance = "_0" }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard container.contains(.approximate) else {
            self = .trained
            return
        }
        let older = try container.nestedContainer(keyedBy: OlderValue.self, forKey: .approximate)
        self = .approximate(
            try older.decodeIfPresent(ApproximateProvenance.self, forKey: .provenance)
                ?? container.decode(ApproximateProvenance.self, forKey: .approximate))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if case .approximate(let provenance) = self { try container.encode(provenance, forKey: .approximate) }
    }
}

/// What an approximately unlearned adapter carries with it until a training from the beginning replaces it.
public struct ApproximateProvenance: Codable, Hashable, Sendable {
    public var method: ApproximateMethod
    /// Content name of the adapter that was corrected; it saw the forgotten data.
    public var original: String
    /// Content name of the result.
    public var result: String
    /// Prompts whose influence was to be removed (rebuilt ones included).
    public var forgotten: Int
    /// Approximate corrections since the last training, this one included.
    public var corrections: Int

    public init(method: ApproximateMethod, original: String, result: String, forgotten: Int, corrections: Int) {
        self.method = method
        self.original = original
        self.result = result
        self.forgotten = forgotten
        self.corrections = corrections
    }
}

extension AdapterProvenance {
    /// Corrections since the last training.
    var corrections: Int {
        if case .approximate(let provenance) = self { provenance.corrections } else { 0 }
    }
}

/// An adapter that only approximates the retrained one; never to be mistaken for a `TrainedAdapter`.
public struct ApproximateAdapter: Hashable, Sendable {
    public let adapter: Adapter
    public let provenance: ApproximateProvenance

    /// - Throws: `LanguageModelError.notFinite` when a factor holds a NaN or an infinity.
    init(
        _ adapter: Adapter, method: ApproximateMethod, original: Adapter, history: AdapterProvenance,
        forgotten: Int
    ) throws {
        try adapter.checkFinite()
        self.adapter = adapter
        provenance = ApproximateProvenance(
            method: method, original: original.contentName, result: adapter.contentName, forgotten: forgotten,
            corrections: history.corrections.addingSaturated(1))
    }
}

/// Time and work of one phase of an unlearning.
public struct PhaseCost: Codable, Hashable, Sendable {
    public var seconds: Double
    /// Prompt tokens that went through the model forward only.
    public var scoredTokens: Int
    /// Prompt tokens that went through the model forward and backward.
    public var trainedTokens: Int
    /// Optimiser steps (or damped solves).
    public var steps: Int

    public init(seconds: Double = 0, scoredTokens: Int = 0, trainedTokens: Int = 0, steps: Int = 0) {
        self.seconds = seconds
        self.scoredTokens = scoredTokens
        self.trainedTokens = trainedTokens
        self.steps = steps
    }

    public static func + (left: PhaseCost, right: PhaseCost) -> PhaseCost {
        PhaseCost(
            seconds: left.seconds + right.seconds,
            scoredTokens: left.scoredTokens.addingSaturated(right.scoredTokens),
            trainedTokens: left.trainedTokens.addingSaturated(right.trainedTokens),
            steps: left.steps.addingSaturated(right.steps))
    }
}
