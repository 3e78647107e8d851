import Crypto
import Foundation
import GRDB
import Messages

/// The key of tombstones, of the audit log's pseudonyms for people and of requests' fingerprints: 32 random bytes in a
/// file of their own, so that the database, its copies and its backups do not hold what their HMACs are opened with.
///
/// The database keeps a check value (HMAC of a constant), by which the key of another ledger is noticed.
enum TombstoneKey {
    static let file = "tombstone.key"
    private static let bytes = 32

    /// Reads the key; makes it at the first start; moves it out of the database of an earlier version.
    ///
    /// - Parameter acceptsNew: go on without the key that is missing, or with the one that lies in its place: what was
    ///   forgotten under the old one is then no longer recognised.
    /// - Returns: the key, and whether it took the place of another one.
    /// - Throws: `LedgerError.keyUnusable`; `.corrupt` for a file that is no key.
    static func obtain(
        _ file: URL, _ queue: DatabaseQueue, acceptsNew: Bool
    ) throws -> (key: SymmetricKey, isReplacement: Bool) {
        let recorded = try queue.read(Recorded.init)
        let there = try read(file)
        if let inDatabase = recorded.key {
            guard there == nil || there == inDatabase else { throw foreign(file) }
            if there == nil { try make(inDatabase, file) }
            let key = SymmetricKey(data: inDatabase)
            try queue.write { try TombstoneMigration.moveKeyOut($0, key) }
            return (key, false)
        }
        let isKnown = there.map { recorded.check == nil || recorded.check == check(SymmetricKey(data: $0)) } ?? false
        if !isKnown && recorded.isUsed && !acceptsNew {
            throw there == nil
                ? LedgerError.keyUnusable(
                    path: file.path,
                    reason:
                        "the key is missing under which the ledger recognises what was forgotten; put it back, or start "
                        + "once with --accept-new-tombstone-key: data that was forgotten could then be imported again")
                : foreign(file)
        }
        let key = SymmetricKey(data: try there ?? make(SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }, file))
        if !isKnown || recorded.check == nil { try queue.write { try Meta.tombstoneKeyCheck.set(check(key), $0) } }
        return (key, !isKnown && recorded.isUsed)
    }

    static func check(_ key: SymmetricKey) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: Data("lethe tombstone key".utf8), using: key))
    }

    private struct Recorded {
        /// Of ledgers made before the key had a file.
        var key: Data?
        var check: Data?
        /// Whether anything was forgotten.
        var isUsed: Bool

        init(_ db: Database) throws {
            key = try Meta.tombstoneKey.value(Data.self, db)
            check = try Meta.tombstoneKeyCheck.value(Data.self, db)
            isUsed =
                try Bool.fetchOne(
                    db,
                    sql: """
                        SELECT EXISTS (SELECT 1 FROM tombstones) OR EXISTS (SELECT 1 FROM forget_requests)
                        """) ?? false
        }
    }

    private static func read(_ file: URL) throws -> Data? {
        guard access(file.path, F_OK) == 0 else { return nil }
        let key = Data(try LedgerFiles.read(file))
        guard key.count == bytes else {
            throw LedgerError.corrupt(path: file.path, reason: "a key has \(bytes) bytes, not \(key.count)")
        }
        return key
    }

    /// Writes the key and reads it back: the copy in the database is erased afterwards.
    @discardableResult
    private static func make(_ key: Data, _ file: URL) throws -> Data {
        try LedgerFiles.writeAtomically(key, to: file)
        guard try read(file) == key else {
            throw LedgerError.storage(path: file.path, reason: "the key was written, but another one is read back")
        }
        return key
    }

    private static func foreign(_ file: URL) -> LedgerError {
        .keyUnusable(
            path: file.path,
            reason:
                "the key is not this ledger's: it would not recognise what was forgotten; put the right one back, or "
                + "start once with --accept-new-tombstone-key: data that was forgotten could then be imported again")
    }
}
