/// Where a row's rating comes from. Data of what people did, not of what they thought, has no column of ratings.
public enum RatingSource: Hashable, Sendable {
    case column
    /// Every row has this one.
    case every(Double)
    /// By what the row says that happened.
    case events(EventWeights)
}

/// What happenings are worth: `view=0,cart=1,purchase=1`.
public struct EventWeights: Hashable, Sendable {
    private let weights: [String: Double]
    let smallest: Double

    /// - Throws: `RecommendationError.invalidColumns`.
    public init(parsing text: String) throws(RecommendationError) {
        var weights: [String: Double] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingBlanks }
            guard sides.count == 2, !sides[0].isEmpty, let weight = Double(sides[1]), weight.isFinite else {
                throw .invalidColumns(reason: "\"\(part)\" is not EVENT=WEIGHT")
            }
            guard weights.updateValue(weight, forKey: Self.name(sides[0])) == nil else {
                throw .invalidColumns(reason: "the event \(sides[0]) has two weights")
            }
        }
        self.weights = weights
        smallest = weights.values.min() ?? 0
    }

    /// Capitals and blanks around it do not count. nil: it was given none.
    public subscript(event: String) -> Double? { weights[Self.name(event)] }

    private static func name(_ text: String) -> String { text.trimmingBlanks.lowercased() }
}
