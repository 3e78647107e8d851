import Foundation
import GRDB
import Messages

extension Ledger {
    /// Housekeeping after forget requests; what they sealed is noise without it. Writes the catalogue anew where an item left
    /// it (secure_delete overwrites deleted rows, but not the copies that SQLite leaves behind when it moves rows between
    /// pages), gives free pages back, truncates the write-ahead log and deletes files that the ledger no longer names.
    package func purge() throws {
        try requireSameFiles()
        let last = try read { try Int64.fetchOne($0, sql: "SELECT MAX(number) FROM forget_requests") ?? 0 }
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
            checkpointer.settle()
            try queue.writeWithoutTransaction { db in
                // A statement that gives rows: each step frees a page.
                _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(Self.pagesFreedAtOnce))")
                _ = try db.checkpoint(.truncate)
            }
            try deleteUnnamedAdapterFiles()
            try queue.write { try Meta.purgePending.set(false, $0) }
        }
        purgedRequest = last
    }

    /// Free pages that one call gives back, at most: 64 MB.
    private static let pagesFreedAtOnce = 16_384

    /// Removes what has to be gone before these requests may be finished; not while other calls are under way (`together`).
    package func purge(before requests: [String]) throws {
        guard transaction == nil else { return }
        try sealIfPending()
        let isDue = try read { db in
            guard try Meta.purgePending.value(Bool.self, db) ?? false else { return false }
            guard let purgedRequest else { return true }
            // What later requests left has nothing to do with these.
            return try requests.contains { id in
                try Int64.fetchOne(db, sql: "SELECT number FROM forget_requests WHERE id = ?", arguments: [id])
                    .map { $0 > purgedRequest } ?? false
            }
        }
        if isDue { try purge() }
    }

    private func rewriteCatalogue(_ db: Database) throws {
        let items = try Row.fetchAll(db, sql: "SELECT id, token, title, fields FROM items ORDER BY id")
        // All pages of table and index go, overwritten, before any is written.
        try db.execute(sql: "DELETE FROM items")
        let insert = try db.makeStatement(sql: "INSERT INTO items (id, token, title, fields) VALUES (?, ?, ?, ?)")
        for item in items {
            try insert.execute(arguments: [
                item.value("id", in: "items") as Int64, item.value("token", in: "items") as String,
                item.optional("title", in: "items") as String?, item.optional("fields", in: "items") as String?,
            ])
        }
    }
}
