import LanguageModels
import Recommendation
import Unlearning

extension WireLimits {
    /// Prompt tokens of one result: sums of thousands of results stay far from the end of the integers.
    public static let tokens = 0...(1 << 50)
    /// Optimiser steps, and rows of a comparison.
    package static let steps = 0...(1 << 40)
    package static let epochs = 0...TrainingSpecification.epochBounds.upperBound
    package static let seconds = 0...1e10
    /// Tokens a second.
    package static let rate = 0...1e15
    package static let threads = 0...65_536
    /// Corrections of one adapter since its training.
    package static let corrections = 0...(1 << 31)
    /// Sizes of requests that a trial tried an interpolation for.
    package static let overshoots = 16
    /// Decoder blocks.
    package static let layers = 0...4096
    /// Batches of an import.
    package static let batches = 0...(1 << 31)
    /// Entries of the audit log.
    public static let entries = 0...(1 << 53)
    /// Items of a ranking.
    public static let top = 1...(1 << 20)
    /// Items that one question names.
    public static let candidates = 0...10_000
    /// Ratings of the history that one question brings along.
    public static let history = 0...10_000
    /// Conditions on the fields of a question's items.
    public static let conditions = 0...ItemFields.most
    /// Items of the catalogue that are ranked without being named, unless the question says otherwise: each costs about as
    /// much as a question of its own.
    public static let ranked = 500
    /// Items that are chosen of a larger catalogue to be ranked, and how many are unless the question says otherwise.
    public static let chosen = 1...10_000
    public static let usuallyChosen = 200
}

/// Holds numbers of a message to what they can mean, where the message is decoded: no code behind it meets one that cannot
/// be added, allocated or written down.
struct WireNumbers {
    package let kind: String

    package init(kind: String) {
        self.kind = kind
    }

    package func check(_ value: Int, _ bounds: ClosedRange<Int>, _ name: String) throws(WireError) {
        guard bounds.contains(value) else { throw outside(name) }
    }

    /// Refuses what is no number, too.
    package func check(_ value: Double, _ bounds: ClosedRange<Double>, _ name: String) throws(WireError) {
        guard bounds.contains(value) else { throw outside(name) }
    }

    package func checkFinite(_ values: [Double], _ name: String) throws(WireError) {
        guard values.allSatisfy(\.isFinite) else { throw outside(name) }
    }

    func checkCount(_ count: Int, _ bounds: ClosedRange<Int>, _ name: String) throws(WireError) {
        guard bounds.contains(count) else { throw outside("the number of \(name)") }
    }

    /// Settings know their own bounds.
    package func check(_ settings: () throws -> Void) throws(WireError) {
        do {
            try settings()
        } catch {
            throw .invalidContent(kind: kind, reason: "\(error)")
        }
    }

    private func outside(_ name: String) -> WireError {
        .invalidContent(kind: kind, reason: "\(name) is outside its bounds")
    }
}
