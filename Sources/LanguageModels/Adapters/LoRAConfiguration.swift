/// Shape and scale of a LoRA adapter (arXiv 2106.09685): `y = W·x + (alpha / rank)·B·A·x`.
public struct LoRAConfiguration: Codable, Hashable, Sendable {
    public var rank: Int
    public var alpha: Double
    /// Sorted, without repetitions.
    public let targets: [LinearSite]

    public init(rank: Int = 8, alpha: Double = 16, targets: [LinearSite] = [.query, .value]) {
        self.rank = rank
        self.alpha = alpha
        self.targets = LinearSite.allCases.filter(targets.contains)
    }

    /// The factor in front of `B·A·x`.
    public var scale: Float { Float(alpha / Double(rank)) }
}
