import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Imports that were under way in a ledger of before go on: their rows in sealed files.
    func takeImports(from old: Database, into db: Database) throws {
        let batches = try Row.fetchAll(
            old, sql: "SELECT import, sequence, time, refused FROM staged_batches ORDER BY import, sequence")
        var last: String?
        for row in batches {
            let importID: String = try row.value("import", in: "staged_batches")
            let sequence = try row.count("sequence", in: "staged_batches")
            var batch = StagedBatch(
                rows: try rows(importID, sequence, old), items: try items(importID, sequence, old), refusedItems: [])
            if importID != last {
                last = importID
                batch.refusedItems = try String.fetchAll(
                    old, sql: "SELECT token FROM staged_refused_items WHERE import = ? ORDER BY token",
                    arguments: [importID])
            }
            try stagedImports.write(batch, importID: importID, sequence: sequence, key: importKey(importID, db))
            try db.execute(
                sql: "INSERT INTO staged_batches (import, sequence, time, refused) VALUES (?, ?, ?, ?)",
                arguments: StatementArguments(row.databaseValues))
        }
    }

    private func rows(_ importID: String, _ sequence: Int, _ old: Database) throws -> [StagedRow] {
        let rows = try Row.fetchAll(
            old,
            sql: """
                SELECT user, item, timestamp, rating, ordinal FROM staged_rows WHERE import = ? AND sequence = ?
                ORDER BY position
                """, arguments: [importID, sequence])
        return try rows.map { row in
            let interaction = Interaction(
                user: try (row.value("user", in: "staged_rows") as String).inTodaysSpelling,
                item: try (row.value("item", in: "staged_rows") as String).inTodaysSpelling,
                timestamp: try row.value("timestamp", in: "staged_rows"),
                rating: try row.value("rating", in: "staged_rows"),
                ordinal: try row.value("ordinal", in: "staged_rows"))
            return StagedRow(lookup: lookup(interaction.user), interaction: interaction)
        }
    }

    private func items(_ importID: String, _ sequence: Int, _ old: Database) throws -> [StagedItem] {
        let rows = try Row.fetchAll(
            old,
            sql: "SELECT token, title FROM staged_items WHERE import = ? AND sequence = ? ORDER BY position",
            arguments: [importID, sequence])
        return try rows.map { row in
            StagedItem(
                token: try (row.value("token", in: "staged_items") as String).inTodaysSpelling,
                title: try row.value("title", in: "staged_items"))
        }
    }
}
