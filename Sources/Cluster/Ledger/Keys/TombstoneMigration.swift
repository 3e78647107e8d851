import Crypto
import Files
import Foundation
import GRDB
import Recommendation

/// Tombstones of earlier versions: a whole user had one for every interaction and every item, all with the exact time of
/// the request, under a key in the same file.
enum TombstoneMigration {
    /// Drops what is redundant beside the tombstones of whole users, then every time.
    ///
    /// Which tombstones belong to one person cannot be told from them. But those of one request have its time, and the
    /// request's audit entry has the pseudonyms of its people, which were the tombstones of whole users. Where all people
    /// of all requests of an instant are forgotten whole by now, the instant's other tombstones refuse nothing that
    /// those do not. The others stay: that nothing forgotten comes back goes before that less is stored.
    static func dropRedundantAndTimes(_ db: Database) throws {
        let whole = Set(
            try Data.fetchAll(db, sql: "SELECT hmac FROM tombstones WHERE kind = 'user'").map(\.hexadecimal))
        let requests = try Row.fetchAll(
            db,
            sql: """
                SELECT received, detail FROM forget_requests LEFT JOIN audit
                ON audit.hash = forget_requests.audit AND audit.kind = 'forget' ORDER BY received
                """)
        var kept: Set<Int64> = []
        var instants: [Int64] = []
        for request in requests {
            let time: Int64 = try request.value("received", in: "forget_requests")
            if instants.last != time { instants.append(time) }
            let detail: String? = try request.optional("detail", in: "audit")
            let people = detail.flatMap { try? JSONDecoder().decode(People.self, from: Data($0.utf8)) }?.people
            if people?.allSatisfy(whole.contains) != true { kept.insert(time) }
        }
        let delete = try db.makeStatement(sql: "DELETE FROM tombstones WHERE time = ? AND kind <> 'user'")
        for time in instants where !kept.contains(time) { try delete.execute(arguments: [time]) }
        try db.execute(sql: "ALTER TABLE tombstones DROP COLUMN time")
    }

    /// Erases the key from the database, in which it is in the key's file too by now, and gives every tombstone its
    /// present value, which no entry of the audit log shows.
    static func moveKeyOut(_ db: Database, _ key: SymmetricKey) throws {
        let rows = try Row.fetchAll(db, sql: "SELECT hmac, kind FROM tombstones")
        try db.execute(sql: "DELETE FROM tombstones")
        let insert = try db.makeStatement(sql: "INSERT OR IGNORE INTO tombstones (hmac, kind) VALUES (?, ?)")
        for row in rows {
            try insert.execute(
                arguments: [
                    Pseudonym.tombstone(of: row.value("hmac", in: "tombstones"), key),
                    row.value("kind", in: "tombstones") as String,
                ])
        }
        // They named items in clear. Their clients are told to send the import again.
        let imports =
            try db.tableExists("staged_refused_items")
            ? String.fetchAll(db, sql: "SELECT DISTINCT import FROM staged_refused_items") : []
        for table in ["staged_batches", "staged_items", "staged_rows", "staged_refused_items"] {
            for id in imports { try db.execute(sql: "DELETE FROM \(table) WHERE import = ?", arguments: [id]) }
        }
        try Meta.tombstoneKeyCheck.set(TombstoneKey.check(key), db)
        try Meta.tombstoneKey.remove(db)
        // Free pages and the write-ahead log still have copies.
        try Meta.purgePending.set(true, db)
    }

    private struct People: Decodable { var people: [String] }
}
