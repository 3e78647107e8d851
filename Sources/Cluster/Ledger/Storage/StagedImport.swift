import GRDB

/// What was sent of an import that is not finished.
enum StagedImport {
    static func clear(_ importID: String, _ db: Database) throws {
        for table in ["staged_batches", "staged_items", "staged_rows", "staged_refused_items"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE import = ?", arguments: [importID])
        }
    }
}
