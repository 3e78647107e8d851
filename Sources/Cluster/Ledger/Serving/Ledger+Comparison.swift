import Crypto
import Files
import Foundation
import GRDB
import Recommendation
import Unlearning

extension Ledger {
    /// Everybody's interactions, for a comparison of methods; nil before the first import.
    package func comparisonSource() throws -> ComparisonSource? {
        try read { db in
            guard let prompts = try Meta.promptConfiguration.value(PromptConfiguration.self, db) else { return nil }
            var people: [ComparisonSource.Person] = []
            var titles: [String: String] = [:]
            for id in try Int64.fetchAll(db, sql: "SELECT id FROM users ORDER BY token") {
                guard let rows = try UserRecord(db, user: id) else { continue }
                titles.merge(rows.titles) { first, _ in first }
                people.append(
                    ComparisonSource.Person(user: rows.token, interactions: rows.interactions, splits: rows.splits))
            }
            return try ComparisonSource(people: people, titles: titles, prompts: prompts)
        }
    }

    /// Names the prompts of all splits as they are now.
    package func comparisonBasis() throws -> String {
        let digests = try read { db in
            try Split.allCases.map { try manifest(of: .split($0), db).digest }
        }
        return SHA256.hash(data: Data(digests.joined(separator: "\n").utf8)).hexadecimal
    }
}
