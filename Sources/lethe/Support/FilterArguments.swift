import Messages
import Recommendation

/// Reads which items an answer may name.
enum FilterArguments {
    /// - Parameters:
    ///   - exclude: ids.
    ///   - conditions: `FIELD=TEXT`, or `FIELD=MIN..MAX` for numbers, of which one may be left out.
    /// - Returns: nil: nothing was said.
    /// - Throws: `CommandFailure`.
    static func read(exclude: [String], conditions: [String]) throws -> ItemFilter? {
        guard !exclude.isEmpty || !conditions.isEmpty else { return nil }
        guard WireLimits.candidates.contains(exclude.count), WireLimits.conditions.contains(conditions.count) else {
            throw CommandFailure(
                .badInput,
                "one question excludes at most \(WireLimits.candidates.upperBound) items, under at most "
                    + "\(WireLimits.conditions.upperBound) conditions")
        }
        return ItemFilter(
            exclude: try exclude.map { item in
                do {
                    return try Identifier.canonical(item)
                } catch {
                    throw CommandFailure(.badInput, "\(item.clipped) names no item: \(error)")
                }
            }, conditions: try conditions.map(condition))
    }

    private static func condition(_ text: String) throws -> ItemFilter.Condition {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw CommandFailure(.usage, "\(text.clipped) is no condition: write FIELD=TEXT or FIELD=MIN..MAX")
        }
        guard let bounds = bounds(parts[1]) else { return .init(field: parts[0], text: parts[1]) }
        return .init(field: parts[0], minimum: bounds.minimum, maximum: bounds.maximum)
    }

    /// nil: it is no range of numbers, but text.
    private static func bounds(_ text: String) -> (minimum: Double?, maximum: Double?)? {
        guard let dots = text.firstRange(of: "..") else { return nil }
        let (low, high) = (text[..<dots.lowerBound], text[dots.upperBound...])
        let (minimum, maximum) = (Double(low), Double(high))
        guard low.isEmpty || minimum?.isFinite == true, high.isEmpty || maximum?.isFinite == true,
            minimum != nil || maximum != nil
        else { return nil }
        return (minimum, maximum)
    }
}
