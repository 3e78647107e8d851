import Crypto
import Foundation
import GRDB
import Messages

/// What a transaction does with keys: those that it made go if it fails, those that it gave up go once it is committed.
struct KeyChanges {
    var made: [KeyReference] = []
    var obsolete: [KeyReference] = []
}

/// Where a process may be killed: around the commit of a transaction and the destruction of its keys; for tests.
package enum CommitStep: CaseIterable, Sendable {
    case beforeCommit, afterCommit, afterKeys
}

/// A person has a key from the first time on that a worker gets prompts of the person, a shard from the first time on that it
/// is given out; `users` and `shards` say where they lie (slot, key). What is sealed under them lies on workers' disks. Adapters'
/// files have keys of their own (`Ledger+FileKeys`).
///
/// A commit is durable before the keys that it gave up are overwritten, and they are overwritten before anybody is told. A
/// process that is killed in between does the rest when it is started again: every slot without an owner is overwritten.
extension Ledger {
    /// One transaction that may make keys and give some up: those that it made go when it fails. The caller sees to those that it
    /// gave up.
    func writingKeys<Result>(_ work: (Database) throws -> Result) throws -> Result {
        try destroyObsoleteKeys()
        keyChanges = KeyChanges()
        do {
            return try LedgerFiles.mappingErrors(at: database.path) { try queue.write(work) }
        } catch {
            // What cannot be overwritten now has no owner, and is overwritten at the next start.
            try? keys.destroy(keyChanges.made)
            throw error
        }
    }

    /// nil: it is gone, or lies in a damaged slot or beyond the end of an older copy of the folder. Its owner gets another.
    func livingKey(_ reference: KeyReference) throws -> SymmetricKey? {
        do {
            return try keys.key(reference)
        } catch LedgerError.corrupt {
            return nil
        }
    }

    /// Durable before the transaction that is under way commits.
    func makeKeys(_ count: Int) throws -> [(reference: KeyReference, key: SymmetricKey)] {
        guard count > 0 else { return [] }
        let made = try keys.make(count).map { (reference: $0.0, key: $0.1) }
        keyChanges.made += made.map(\.reference)
        return made
    }

    /// Gives up the key of a person, of whom something is forgotten.
    func dropKey(ofUser user: Int64, _ db: Database) throws {
        let row = try Row.fetchOne(
            db, sql: "SELECT slot, key FROM users WHERE id = ? AND slot IS NOT NULL", arguments: [user])
        guard let row else { return }
        keyChanges.obsolete.append(try KeyReference(row: row, in: "users"))
        try db.execute(sql: "UPDATE users SET slot = NULL, key = NULL WHERE id = ?", arguments: [user])
    }

    /// Gives up the key of what workers keep of a shard beside prompts: its data is not what it was made from any more.
    func dropKey(ofShard shard: Int, _ db: Database) throws {
        let row = try Row.fetchOne(
            db, sql: "SELECT slot, key FROM shards WHERE shard = ? AND slot IS NOT NULL", arguments: [shard])
        guard let row else { return }
        keyChanges.obsolete.append(try KeyReference(row: row, in: "shards"))
        try db.execute(sql: "UPDATE shards SET slot = NULL, key = NULL WHERE shard = ?", arguments: [shard])
    }

    /// Overwrites the keys that committed transactions gave up. What could not be overwritten is tried again before
    /// anything else is committed.
    func destroyObsoleteKeys() throws {
        guard !obsoleteKeys.isEmpty else { return }
        try keys.destroy(obsoleteKeys)
        obsoleteKeys = []
    }

    /// Another key folder took the place of one that is lost: nobody has a key, and whoever finds the old folder can read what
    /// workers were sent before.
    static func forgetKeys(_ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE users SET slot = NULL, key = NULL;
                UPDATE shards SET slot = NULL, key = NULL;
                UPDATE adapters SET slot = NULL, key = NULL;
                UPDATE corrections SET slot = NULL, key = NULL;
                UPDATE copies SET sealed = 0;
                """)
    }

    /// Overwrites every key without an owner. Who lost theirs, because the database is an older copy than the folder, gets
    /// another when the next is needed.
    func settleKeys() throws {
        let owners = try read { db in
            try ["users", "shards", "adapters", "corrections"].flatMap { table in
                try Row.fetchAll(db, sql: "SELECT rowid AS row, slot, key FROM \(table) WHERE slot IS NOT NULL").map {
                    row in
                    (
                        table: table, row: try row.value("row", in: table) as Int64,
                        key: try KeyReference(row: row, in: table)
                    )
                }
            }
        }
        _ = try keys.destroyAll(except: Set(owners.map(\.key)))
        let lost = try owners.filter { try livingKey($0.key) == nil }
        guard !lost.isEmpty else { return }
        try LedgerFiles.mappingErrors(at: database.path) {
            try queue.write { db in
                for owner in lost {
                    try db.execute(
                        sql: "UPDATE \(owner.table) SET slot = NULL, key = NULL WHERE rowid = ?", arguments: [owner.row]
                    )
                }
            }
        }
    }
}

extension KeyReference {
    init(row: Row, in table: String) throws {
        self.init(slot: try row.value("slot", in: table), id: try row.value("key", in: table))
    }
}
