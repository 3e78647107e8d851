import GRDB

/// What the rows hold that a snapshot is made of and that changed since it was taken.
///
/// Triggers of this connection note it in a table in memory, in the transaction that makes the change: no write can forget
/// to, and what is taken back is not noted.
struct SnapshotChanges {
    /// Shards, by number.
    private(set) var shards: [Int] = []
    /// Forget requests (`forget_requests.number`), oldest first.
    private(set) var requests: [Int64] = []
    /// Anything that is neither of a shard nor of a request.
    private(set) var isRestChanged = false

    var isEmpty: Bool { shards.isEmpty && requests.isEmpty && !isRestChanged }

    private enum Kind: Int64 {
        case rest, shard, request
    }

    private struct Watched {
        var table: String
        var kind: Kind
        /// Names the shard or the request; nil: neither.
        var column: String?
        var events = ["INSERT", "UPDATE", "DELETE"]
        /// Rows that do not count, by their `key`.
        var ignored: [String] = []
    }

    private static let watched = [
        Watched(table: "shards", kind: .shard, column: "shard"),
        Watched(table: "adapters", kind: .shard, column: "shard"),
        Watched(table: "corrections", kind: .shard, column: "shard"),
        Watched(table: "damaged_adapters", kind: .shard, column: "shard"),
        Watched(table: "forget_shards", kind: .shard, column: "shard"),
        Watched(table: "forget_shards", kind: .request, column: "request"),
        Watched(table: "forget_requests", kind: .request, column: "number"),
        Watched(table: "splits", kind: .rest), Watched(table: "reference_prompts", kind: .rest),
        Watched(table: "tuning", kind: .rest),
        Watched(table: "totals", kind: .rest), Watched(table: "imports", kind: .rest),
        Watched(table: "people", kind: .rest, events: ["INSERT", "DELETE"]),
        // These change with every entry of the audit log, and with every key.
        Watched(table: "meta", kind: .rest, ignored: [Meta.auditHead, .keyEpoch].map(\.rawValue)),
    ]

    /// From now on changes are noted; those of before are not.
    static func watch(_ db: Database) throws {
        try db.execute(sql: "PRAGMA temp_store = MEMORY")
        try db.execute(
            sql: """
                CREATE TEMP TABLE IF NOT EXISTS snapshot_changes (
                    kind INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, number)
                ) WITHOUT ROWID
                """)
        for watched in watched {
            for event in watched.events { try db.execute(sql: trigger(watched, event)) }
        }
        try clear(db)
    }

    private static func trigger(_ watched: Watched, _ event: String) -> String {
        let rows = event == "INSERT" ? ["new"] : event == "DELETE" ? ["old"] : ["old", "new"]
        let notes = rows.map { row in
            "INSERT OR IGNORE INTO snapshot_changes VALUES "
                + "(\(watched.kind.rawValue), \(watched.column.map { "\(row).\($0)" } ?? "0"));"
        }
        let ignored = watched.ignored.map { "'\($0)'" }.joined(separator: ", ")
        let condition = ignored.isEmpty ? "" : "WHEN \(rows[0]).key NOT IN (\(ignored)) "
        return """
            CREATE TEMP TRIGGER IF NOT EXISTS snapshot_\(watched.table)_\(watched.kind.rawValue)_\(event.lowercased())
            AFTER \(event) ON main.\(watched.table) \(condition)BEGIN \(notes.joined(separator: " ")) END
            """
    }

    static func clear(_ db: Database) throws { try db.execute(sql: "DELETE FROM temp.snapshot_changes") }

    init(_ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "SELECT kind, number FROM temp.snapshot_changes ORDER BY kind, number") {
            let number: Int64 = try row.value("number", in: "snapshot_changes")
            switch Kind(rawValue: try row.value("kind", in: "snapshot_changes")) {
            case .shard: shards.append(Int(number))
            case .request: requests.append(number)
            case .rest, nil: isRestChanged = true
            }
        }
    }
}
