import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Keeps one batch of an import aside. A batch that is already there is ignored. Rows of forgotten people and
    /// forgotten interactions do not even get that far.
    ///
    /// - Throws: `LedgerError.invalidRow`.
    package func stage(
        importID: String, sequence: Int, items: [Item], interactions: [Interaction], at time: Date
    ) throws {
        guard !importID.isEmpty, sequence >= 0 else {
            throw LedgerError.invalidRow(reason: "a batch needs the id of its import and a number from 0")
        }
        for item in items where item.id.normalised.isEmpty || item.title.isEmpty {
            throw LedgerError.invalidRow(reason: "an item needs an identifier and a title")
        }
        for row in interactions
        where row.user.normalised.isEmpty || row.item.normalised.isEmpty || !row.rating.isFinite {
            throw LedgerError.invalidRow(
                reason: "row \(row.ordinal): a row needs identifiers of user and item and a finite rating")
        }
        try commit { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO staged_batches (import, sequence, time, refused) VALUES (?, ?, ?, 0)",
                arguments: [importID, sequence, time.milliseconds])
            guard db.changesCount == 1 else { return }
            let item = try db.cachedStatement(
                sql: "INSERT INTO staged_items (import, sequence, position, token, title) VALUES (?, ?, ?, ?, ?)")
            for (position, new) in items.enumerated() {
                try item.execute(arguments: [importID, sequence, position, new.id.normalised, new.title])
            }
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO staged_rows (import, sequence, position, user, item, timestamp, rating, ordinal)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            let refusedName = try db.cachedStatement(
                sql: "INSERT OR IGNORE INTO staged_refused_items (import, token) VALUES (?, ?)")
            var forgotten = try ForgottenInteractions(ledger: self, db)
            var refused = 0
            for (position, row) in interactions.enumerated() {
                var new = row
                new.user = row.user.normalised
                new.item = row.item.normalised
                if try forgotten.contains(new.key) {
                    refused += 1
                    try refusedName.execute(arguments: [importID, refusedItem(importID, new.item)])
                } else {
                    try insert.execute(
                        arguments: [
                            importID, sequence, position, new.user, new.item, new.timestamp, new.rating, new.ordinal,
                        ])
                }
            }
            try db.execute(
                sql: "UPDATE staged_batches SET refused = ? WHERE import = ? AND sequence = ?",
                arguments: [refused, importID, sequence])
            try audit(
                db, "stage", ["batch": sequence, "items": items.count, "rows": interactions.count, "refused": refused],
                at: time)
        }
    }

    /// Drops what is staged of an import that its client gave up.
    package func abandonImport(importID: String, at time: Date) throws {
        try commit { db in
            try clearStaging(importID, db)
            try audit(db, "abandon import", [String: Int](), at: time)
        }
    }

    func clearStaging(_ importID: String, _ db: Database) throws {
        try StagedImport.clear(importID, db)
    }
}
