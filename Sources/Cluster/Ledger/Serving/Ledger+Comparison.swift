import Crypto
import Files
import Foundation
import GRDB
import Recommendation
import Unlearning

/// What a comparison of methods is made from, as it was read.
package struct ComparisonParts: Sendable {
    package var people: [ComparisonSource.Person]
    var titles: [String: String]
    /// nil: nothing was imported yet.
    var prompts: PromptConfiguration?
    /// `Ledger.comparisonBasis`
    package var basis: String

    /// Sorts everybody: not to be made where anybody waits.
    ///
    /// - Returns: nil before the first import.
    /// - Throws: `RecommendationError.invalidConfiguration`.
    package func source() throws -> ComparisonSource? {
        guard let prompts else { return nil }
        // Somebody may have been forgotten, with items of their own, after they were read.
        var named: [String: String] = [:]
        for person in people {
            for row in person.interactions { named[row.item] = titles[row.item] }
            for item in person.negatives.values.joined() { named[item] = titles[item] }
        }
        return try ComparisonSource(people: people, titles: named, prompts: prompts)
    }
}

/// Everybody's interactions on their way to a comparison.
package final class ComparisonReading {
    fileprivate var titles: [String: String] = [:]
    /// Set once, with the reading.
    fileprivate var people: PeopleReading<ComparisonSource.Person>?

    package init() {}

    fileprivate func take(_ known: KnownPerson, _ context: PromptContext) throws -> ComparisonSource.Person {
        let rows = try known.person.interactions(context.catalogue)
        var splits: [InteractionKey: Split] = [:]
        var negatives: [InteractionKey: [String]] = [:]
        for (kept, row) in zip(known.person.interactions, rows) {
            titles[row.item] = context.title(of: kept.item)
            if let split = kept.split { splits[row.key] = split }
            guard !kept.negatives.isEmpty else { continue }
            let items = try known.person.negatives(of: kept, context.catalogue)
            negatives[row.key] = items
            for (number, item) in zip(kept.negatives, items) { titles[item] = context.title(of: number) }
        }
        return ComparisonSource.Person(
            user: known.person.name, interactions: rows, splits: splits, slice: known.person.slice,
            negatives: negatives)
    }
}

extension Ledger {
    /// A portion of everybody's interactions, for a comparison of methods.
    ///
    /// - Returns: nil: it goes on.
    package func goOn(
        with reading: ComparisonReading, for span: Duration = .milliseconds(5)
    ) throws -> ComparisonParts? {
        let people = reading.people ?? PeopleReading { [unowned reading] in try reading.take($0, $1) }
        reading.people = people
        guard let found = try goOn(with: people, for: span) else { return nil }
        reading.people = nil
        return ComparisonParts(
            people: found, titles: reading.titles, prompts: try read(recordedPrompts), basis: try comparisonBasis())
    }

    /// Names the prompts of all splits as they are now.
    package func comparisonBasis() throws -> String {
        let digests = try read { db in
            try Split.allCases.map { split in
                try String.fetchOne(db, sql: "SELECT digest FROM splits WHERE split = ?", arguments: [split.rawValue])
                    ?? ""
            }
        }
        return SHA256.hash(data: Data(digests.joined(separator: "\n").utf8)).hexadecimal
    }
}
