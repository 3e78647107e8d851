import Crypto
import Files
import Foundation
import GRDB
import Recommendation
import Unlearning

extension Ledger {
    /// Everybody's interactions, for a comparison of methods; nil before the first import.
    package func comparisonSource() throws -> ComparisonSource? {
        try read { db -> ComparisonSource? in
            guard let prompts = try Meta.promptConfiguration.value(PromptConfiguration.self, db) else { return nil }
            let catalogue = try catalogue(db)
            let context = try promptContext(prompts, db)
            var people: [ComparisonSource.Person] = []
            var titles: [String: String] = [:]
            try forEachPerson(db) { known in
                let rows = try known.person.interactions(catalogue)
                var splits: [InteractionKey: Split] = [:]
                var negatives: [InteractionKey: [String]] = [:]
                for (kept, row) in zip(known.person.interactions, rows) {
                    if let title = context.title(of: kept.item) { titles[row.item] = title }
                    if let split = kept.split { splits[row.key] = split }
                    guard !kept.negatives.isEmpty else { continue }
                    let items = try known.person.negatives(of: kept, catalogue)
                    negatives[row.key] = items
                    for (number, item) in zip(kept.negatives, items) { titles[item] = context.title(of: number) }
                }
                people.append(
                    ComparisonSource.Person(
                        user: known.person.name, interactions: rows, splits: splits, slice: known.person.slice,
                        negatives: negatives))
            }
            return try ComparisonSource(people: people, titles: titles, prompts: prompts)
        }
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
