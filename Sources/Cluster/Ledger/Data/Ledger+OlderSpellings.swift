import Foundation
import GRDB
import Recommendation

/// Ledgers of before kept identifiers as they came, with blanks around them and control characters inside. Whoever is named
/// by today's one spelling is found under all of them; only ledgers that have such identifiers look for them.
extension Ledger {
    struct Spelling {
        var id: Int64
        /// As it stands in the ledger.
        var token: String
    }

    /// Notes at the first start after `Identifier` came whether there are identifiers that it would not let in like this.
    func noteOlderSpellings() throws {
        if try read({ try Meta.olderTombstones.value(Bool.self, $0) }) == nil {
            try commit { db in
                let hasTombstones = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM tombstones)") ?? false
                try Meta.olderTombstones.set(hasTombstones, db)
            }
        }
        guard try read({ try Meta.olderSpellings.value(Bool.self, $0) }) == nil else { return }
        try commit { db in
            let tokens = try String.fetchCursor(db, sql: "SELECT token FROM users UNION ALL SELECT token FROM items")
            var found = false
            while !found, let token = try tokens.next() { found = token.normalised != token }
            try Meta.olderSpellings.set(found, db)
        }
    }

    /// Rows of `users` or `items` that a name stands for, today's spelling first.
    func spellings(of name: String, in table: String, _ db: Database) throws -> [Spelling] {
        let exact = try Int64.fetchAll(db, sql: "SELECT id FROM \(table) WHERE token = ?", arguments: [name])
            .map { Spelling(id: $0, token: name) }
        guard try Meta.olderSpellings.value(Bool.self, db) ?? false else { return exact }
        let older =
            try Row.fetchAll(db, sql: "SELECT id, token FROM \(table) ORDER BY id").compactMap { row in
                let token: String = try row.value("token", in: table)
                guard token != name, Self.today(token) == name else { return nil }
                return Spelling(id: try row.value("id", in: table), token: token)
            } as [Spelling]
        return exact + older
    }

    /// Names what was sent of an import as the ledger has it, so that whoever was kept under an older spelling is not taken
    /// for somebody else.
    func useOlderSpellings(ofImport importID: String, _ db: Database) throws {
        guard try Meta.olderSpellings.value(Bool.self, db) ?? false else { return }
        for (table, columns) in [
            ("users", [("staged_rows", "user")]), ("items", [("staged_rows", "item"), ("staged_items", "token")]),
        ] {
            for token in try String.fetchAll(db, sql: "SELECT token FROM \(table) ORDER BY id DESC") {
                let today = Self.today(token)
                guard token != today, !today.isEmpty, try spellings(of: today, in: table, db).first?.token == token
                else { continue }
                for (staged, column) in columns {
                    try db.execute(
                        sql: "UPDATE \(staged) SET \(column) = ? WHERE import = ? AND \(column) = ?",
                        arguments: [token, importID, today])
                }
            }
        }
    }

    /// How an identifier of before is written today: what is refused inside is left out.
    private static func today(_ token: String) -> String {
        if let canonical = try? Identifier.canonical(token) { return canonical }
        let kept = token.unicodeScalars.filter { (try? Identifier.canonical("x\($0)x")) != nil }
        return (try? Identifier.canonical(String(String.UnicodeScalarView(kept)))) ?? ""
    }
}
