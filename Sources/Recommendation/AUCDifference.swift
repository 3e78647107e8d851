/// By how much one scoring of the same samples has a greater AUC than another, and how sure that is (DeLong et al., 1988): the
/// pairing takes out what makes the samples easy or hard for both.
public struct AUCDifference: Codable, Hashable, Sendable {
    public var difference: Double
    public var standardError: Double

    /// nil: a label has fewer than two samples, or a margin is not a number. `margins`, `other` and `labels` must be equally long.
    public init?(margins: [Float], over other: [Float], labels: [Bool]) {
        precondition(margins.count == labels.count && other.count == labels.count, "every margin needs a label")
        guard !(margins + other).contains(where: \.isNaN) else { return nil }
        self.init(
            placements: Self.placements(margins: margins, labels: labels),
            over: Self.placements(margins: other, labels: labels), labels: labels)
    }

    /// The same of placements. nil: a label has fewer than two samples.
    package init?(placements: [Double], over other: [Double], labels: [Bool]) {
        (difference, standardError) = (0, 0)
        var variance = 0.0
        for label in [false, true] {
            let differences = zip(zip(placements, other), labels).filter { $0.1 == label }.map { $0.0.0 - $0.0.1 }
            guard differences.count > 1 else { return nil }
            let count = Double(differences.count)
            let mean = differences.reduce(0, +) / count
            difference = mean
            variance += differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1) / count
        }
        standardError = variance.squareRoot()
    }

    /// For each sample the share of samples of the other label that it is on the right side of, ties counted half: their
    /// mean over either label is the AUC.
    package static func placements(margins: [Float], labels: [Bool]) -> [Double] {
        let groups = [false, true].map { label in
            zip(margins, labels).filter { $0.1 == label }.map(\.0).sorted()
        }
        return zip(margins, labels).map { margin, label in
            let others = groups[label ? 0 : 1]
            guard !others.isEmpty else { return 0.5 }
            let below = others.partitioningIndex { $0 >= margin }
            let notAbove = others.partitioningIndex { $0 > margin }
            let share = Double(below + notAbove) / Double(2 * others.count)
            return label ? share : 1 - share
        }
    }
}
