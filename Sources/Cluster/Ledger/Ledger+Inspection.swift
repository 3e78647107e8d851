import Foundation
import GRDB
import Messages

// What tests look at, and do to the file behind the ledger's back.
extension Ledger {
    /// A setting of the database connection, for tests.
    package func setting(_ name: String) throws -> String? {
        try read { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }

    /// What somebody with another SQLite client reads in the file, for tests: the first column of the rows, as text.
    package func inspect(_ sql: String) throws -> [String] {
        try read { try String.fetchAll($0, sql: sql) }
    }

    /// What somebody with another SQLite client could do to the file, for tests.
    package func tamper(_ sql: String) throws {
        (cachedShortened, tombstoneCount) = (nil, nil)
        try commit { try $0.execute(sql: sql) }
    }

    /// The same in a file that no ledger has open, for tests.
    package static func tamper(_ sql: String, at database: URL) throws {
        try DatabaseQueue(path: database.path).write { try $0.execute(sql: sql) }
    }

    package static func inspect(_ sql: String, at database: URL) throws -> [String] {
        try DatabaseQueue(path: database.path).read { try String.fetchAll($0, sql: sql) }
    }

    /// Every column of every table, for tests.
    package func columns() throws -> [(table: String, column: String)] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT m.name AS "table", p.name AS "column" FROM sqlite_master m JOIN pragma_table_info(m.name) p
                    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'grdb%' ORDER BY 1, p.cid
                    """
            ).map { (try $0.value("table", in: "sqlite_master"), try $0.value("column", in: "sqlite_master")) }
        }
    }

    /// Makes the disk look full beyond this many more pages of the database, for tests.
    package func limitGrowth(toPages pages: Int) throws {
        try read { db in
            let now = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(now + pages)")
        }
    }
}
