import Crypto
import Files
import Foundation
import GRDB
import LanguageModels
import Messages

/// Keys of adapters' files: one for each name. `adapters` and `corrections` say where they lie (slot, key); the last who names an
/// adapter takes its key along.
extension Ledger {
    /// Of a published adapter, or of one that is to be corrected; nil: it is lost, or the file is in clear.
    func adapterKey(_ name: String, _ db: Database) throws -> SymmetricKey? {
        try reference(ofFile: name, db).flatMap(livingKey)
    }

    /// Keys of the files of the adapters that may answer, by content name.
    package func adapterKeys() throws -> [String: SymmetricKey] {
        try read { db in
            var found: [String: SymmetricKey] = [:]
            for name in try String.fetchAll(db, sql: "SELECT DISTINCT name FROM adapters ORDER BY name") {
                found[name] = try adapterKey(name, db)
            }
            return found
        }
    }

    /// The key of an adapter's file; made where it has none.
    func fileKey(_ name: String, _ db: Database) throws -> (reference: KeyReference, key: SymmetricKey) {
        if let reference = try reference(ofFile: name, db), let key = try livingKey(reference) {
            return (reference, key)
        }
        return try takeKey()
    }

    func write(_ bytes: [UInt8], name: String, key: SymmetricKey) throws(LedgerError) {
        do throws(FileFailure) {
            try AdapterFile.write(bytes, name: name, key: key, in: adapterDirectory.path)
        } catch {
            throw LedgerError(error)
        }
    }

    /// Takes a shard's adapter away, with the key of its file unless somebody else names it. Its margins count no more.
    ///
    /// - Parameter voidsSeen: whatever it saw of earlier prompts is of no interest any more, unless it is to be corrected.
    func dropAdapter(
        shard: Int, keeping kept: KeyReference? = nil, voidsSeen: Bool = true, _ db: Database
    ) throws {
        let key = try keyOfFile(inTable: "adapters", shard: shard, db)
        try db.execute(sql: "DELETE FROM adapters WHERE shard = ?", arguments: [shard])
        if key != kept { try dropKey(ofFile: key, db) }
        let isCorrected = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM corrections WHERE shard = ?)", arguments: [shard])
        if voidsSeen, isCorrected != true { try voidSeen(shard: shard, db) }
        try Meta.purgePending.set(true, db)
    }

    func keyOfFile(inTable table: String, shard: Int, _ db: Database) throws -> KeyReference? {
        try Row.fetchOne(
            db, sql: "SELECT slot, key FROM \(table) WHERE shard = ? AND slot IS NOT NULL", arguments: [shard]
        ).map { try KeyReference(row: $0, in: table) }
    }

    /// Gives the key of an adapter's file up, once a row that named it is gone.
    func dropKey(ofFile key: KeyReference?, _ db: Database) throws {
        guard let key else { return }
        let isNamed = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM adapters WHERE slot = :slot AND key = :key)
                OR EXISTS (SELECT 1 FROM corrections WHERE slot = :slot AND key = :key)
                """, arguments: ["slot": key.slot, "key": key.id])
        if isNamed != true { keyChanges.obsolete.append(key) }
    }

    private func reference(ofFile name: String, _ db: Database) throws -> KeyReference? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT slot, key FROM adapters WHERE name = :name AND slot IS NOT NULL
                UNION ALL SELECT slot, key FROM corrections WHERE original = :name AND slot IS NOT NULL LIMIT 1
                """, arguments: ["name": name]
        ).map { try KeyReference(row: $0, in: "adapters") }
    }

    /// Seals the files that a release before left in clear, and erases those. A file that is not what its name says, or gone, stays
    /// without a key, and is found damaged afterwards.
    func sealOlderAdapters() throws {
        let names = try read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT name FROM adapters WHERE slot IS NULL UNION SELECT original FROM corrections WHERE slot IS NULL
                    """)
        }
        if !names.isEmpty {
            try commit { db in
                for name in names.sorted() {
                    guard let bytes = AtomicFile.contents("\(adapterDirectory.path)/\(name)\(Self.clearSuffix)"),
                        sha256(bytes) == name
                    else { continue }
                    let key = try fileKey(name, db)
                    try write(bytes, name: name, key: key.key)
                    let arguments: StatementArguments = [key.reference.slot, key.reference.id, name]
                    try db.execute(sql: "UPDATE adapters SET slot = ?, key = ? WHERE name = ?", arguments: arguments)
                    try db.execute(
                        sql: "UPDATE corrections SET slot = ?, key = ? WHERE original = ?", arguments: arguments)
                }
            }
        }
        // Also those of a start that was killed in between.
        let files = try? FileManager.default.contentsOfDirectory(atPath: adapterDirectory.path)
        for file in (files ?? []).sorted() where file.hasSuffix(Self.clearSuffix) {
            try LedgerFiles.erase(adapterDirectory.appendingPathComponent(file))
        }
    }

    private static let clearSuffix = ".safetensors"
}
