/// How the answers to some prompts changed, or were predicted to change.
public struct MarginChange: Codable, Hashable, Sendable {
    public var prompts: Int
    /// Mean change of logit_yes − logit_no away from what the prompts' labels say: above zero where the answer is less sure
    /// of what was learned.
    public var meanFromLabel: Double
    /// Largest change either way.
    public var largest: Double

    public init(prompts: Int, meanFromLabel: Double, largest: Double) {
        self.prompts = prompts
        self.meanFromLabel = meanFromLabel
        self.largest = largest
    }

    /// - Parameter changes: of every row's margin.
    /// - Returns: nil without rows.
    init?(of rows: [(row: Int, label: Bool)], predicted changes: [Double]) {
        guard !rows.isEmpty else { return nil }
        let fromLabel = rows.map { $0.label ? -changes[$0.row] : changes[$0.row] }
        self.init(
            prompts: rows.count, meanFromLabel: fromLabel.reduce(0, +) / Double(rows.count),
            largest: fromLabel.map(abs).max() ?? 0)
    }
}
