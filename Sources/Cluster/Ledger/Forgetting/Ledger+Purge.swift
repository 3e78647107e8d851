import Foundation
import GRDB
import Messages

extension Ledger {
    /// Housekeeping after forget requests; what they sealed is noise without it. Writes the catalogue anew where an item left
    /// it (secure_delete overwrites deleted rows, but not the copies that SQLite leaves behind when it moves rows between
    /// pages), gives free pages back, truncates the write-ahead log and deletes files that the ledger no longer names.
    package func purge() throws {
        cachedSnapshot = nil
        try requireSameFiles()
        try LedgerFiles.mappingErrors(at: database.path) {
            if try queue.read({ try Meta.catalogueTraces.value(Bool.self, $0) ?? false }) {
                try queue.write { db in
                    try rewriteCatalogue(db)
                    try Meta.catalogueTraces.set(false, db)
                }
            }
            try queue.write { db in
                try db.execute(
                    sql: "DELETE FROM margins WHERE adapter NOT IN (SELECT serial FROM adapters)")
            }
            try queue.writeWithoutTransaction { db in
                // A statement that gives rows: each step frees a page.
                _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(Self.pagesFreedAtOnce))")
                _ = try db.checkpoint(.truncate)
            }
            try deleteUnnamedAdapterFiles()
            try queue.write { try Meta.purgePending.set(false, $0) }
        }
    }

    /// Free pages that one call gives back, at most: 64 MB.
    private static let pagesFreedAtOnce = 16_384

    /// What has to be gone before a request may be finished; not while other calls are under way (`together`).
    package func purgeIfPending() throws {
        guard transaction == nil else { return }
        try sealIfPending()
        if try read({ try Meta.purgePending.value(Bool.self, $0) ?? false }) { try purge() }
    }

    private func rewriteCatalogue(_ db: Database) throws {
        let items = try Row.fetchAll(db, sql: "SELECT id, token, title FROM items ORDER BY id")
        // All pages of table and index go, overwritten, before any is written.
        try db.execute(sql: "DELETE FROM items")
        let insert = try db.makeStatement(sql: "INSERT INTO items (id, token, title) VALUES (?, ?, ?)")
        for item in items {
            try insert.execute(arguments: [
                item.value("id", in: "items") as Int64, item.value("token", in: "items") as String,
                item.optional("title", in: "items") as String?,
            ])
        }
    }
}
