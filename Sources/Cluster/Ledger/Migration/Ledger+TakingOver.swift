import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Fills the new, empty file from the one of before.
    func takeOver(_ old: Database, into db: Database) throws {
        for table in ["shards", "items"] + LedgerSchema.unchangedTables + ["adapters", "corrections"] {
            try copy(table, from: old, into: db)
        }
        try copyMeta(from: old, into: db)
        try copyReplies(from: old, into: db)
        try number(adaptersIn: db)
        try sealCentres(db)
        try db.execute(sql: "UPDATE shards SET prompts = 0, likes = 0")
        for split in Split.allCases {
            try db.execute(
                sql: "INSERT INTO splits (split, prompts, likes, digest) VALUES (?, 0, 0, ?)",
                arguments: [split.rawValue, ManifestDigest().hexadecimal])
        }
        try Ledger.makeReferences(db, most: nil)
        cachedCatalogue = try Catalogue(db)
        var people = try OlderPeople(self, old, db)
        for id in try Int64.fetchAll(old, sql: "SELECT id FROM users ORDER BY id") { try people.take(id, old, db) }
        try people.finish(old, db)
        try takeImports(from: old, into: db)
        cachedCatalogue = nil
    }

    /// Rows whose columns the new table has.
    private func copy(_ table: String, from old: Database, into db: Database) throws {
        let there = Set(try old.columns(in: table).map(\.name))
        let columns = try db.columns(in: table).map(\.name).filter(there.contains)
        let names = columns.joined(separator: ", ")
        let insert = try db.makeStatement(
            sql: """
                INSERT OR IGNORE INTO \(table) (\(names))
                VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
                """)
        let key = try old.primaryKey(table).columns.joined(separator: ", ")
        let rows = try Row.fetchCursor(old, sql: "SELECT \(names) FROM \(table) ORDER BY \(key)")
        while let row = try rows.next() {
            try insert.execute(arguments: StatementArguments(row.databaseValues))
        }
    }

    private func copyMeta(from old: Database, into db: Database) throws {
        try copy("meta", from: old, into: db)
        try db.execute(sql: "DELETE FROM meta WHERE key IN ('older spellings', 'purge pending', 'title budget')")
        if let bytes = try Int.fetchOne(old, sql: "SELECT LENGTH(vector) FROM embeddings LIMIT 1") {
            try Meta.embeddingWidth.set(bytes / 4, db)
        }
    }

    /// Those that hold nobody's data.
    private func copyReplies(from old: Database, into db: Database) throws {
        let rows = try Row.fetchCursor(
            old,
            sql: """
                SELECT request, size, body FROM replies WHERE anybody = 0
                AND NOT EXISTS (SELECT 1 FROM reply_users WHERE reply = number)
                AND INSTR(CAST(body AS TEXT), '"shortened":') = 0 ORDER BY number
                """)
        while let row = try rows.next() {
            try db.execute(
                sql: "INSERT INTO replies (request, size, body) VALUES (?, ?, ?)",
                arguments: StatementArguments(row.databaseValues))
        }
    }

    private func number(adaptersIn db: Database) throws {
        let shards = try Int.fetchAll(db, sql: "SELECT shard FROM adapters ORDER BY shard")
        for (index, shard) in shards.enumerated() {
            try db.execute(sql: "UPDATE adapters SET serial = ? WHERE shard = ?", arguments: [index + 1, shard])
        }
        try Meta.lastAdapter.set(Int64(shards.count), db)
    }
}
