import Unlearning

/// What IFRU gains under one kind of forgetting by seeing how a request changed other prompts: its distance to Retrain on
/// the rebuilt prompts, less that of IFRU without spillover, prompt by prompt.
public struct SpilloverFinding: Codable, Hashable, Sendable {
    /// On fewer rebuilt prompts nothing is said.
    public static let fewestPrompts = 30

    public var kind: ForgetKind
    /// Negative: with spillover it is nearer to Retrain.
    public var difference: DistanceEstimate
    public var standardError: Double?
    /// Rebuilt prompts, of all seeds and requests.
    public var prompts: Int
    /// Whether it is nearer with spillover by more than two standard errors, on `fewestPrompts` or more.
    public var isVisible: Bool

    init(kind: ForgetKind, difference: DistanceEstimate) {
        self.kind = kind
        self.difference = difference
        standardError = difference.standardError
        prompts = difference.prompts
        isVisible = difference.prompts >= Self.fewestPrompts && difference.mean < 0 && difference.tells
    }
}

extension ComparisonReport {
    /// Of the kinds whose requests rebuilt prompts, where both forms of IFRU answered.
    public var spillover: [SpilloverFinding] {
        Self.kinds(of: distances(of: .rebuilt)).compactMap { kind, requests, _ in
            DistanceEstimate(.ifru, less: .ifruDirect, in: requests).map {
                SpilloverFinding(kind: kind, difference: $0)
            }
        }
    }
}
