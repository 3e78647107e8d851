import Crypto
import Foundation
import GRDB
import Messages

/// What a transaction does with keys: those that it made go if it fails (once it cannot come back any more), those that it gave
/// up go once it is committed.
struct KeyChanges {
    var made: [KeyReference] = []
    var obsolete: [KeyReference] = []
    /// Made for the calls to come (`takeKey`); those that are left are given up, too.
    var spare: [(reference: KeyReference, key: SymmetricKey)] = []
    /// How many `takeKey` handed out.
    var taken = 0
}

/// Where a process may be killed: around the commit of a transaction and the destruction of its keys; for tests.
package enum CommitStep: CaseIterable, Sendable {
    case beforeCommit, afterCommit, afterKeys
}

/// A person has a key, under which the record lies in the database and prompts on workers' disks; a shard from the first time on
/// that it is given out. `people` and `shards` say where they lie (slot, key). Adapters' files (`Ledger+FileKeys`), what is kept
/// for corrections, the batches of imports in progress, the sums behind manifests (`sums`) and a partition's centres have keys of
/// their own.
///
/// A commit is durable before the keys that it gave up are overwritten, and they are overwritten before anybody is told. A
/// process that is killed in between does the rest when it is started again: every slot without an owner is overwritten.
extension Ledger {
    /// One transaction that may make keys and give some up: those that it made go when it fails. The caller sees to those that it
    /// gave up.
    func writingKeys<Result>(_ work: (Database) throws -> Result) throws -> Result {
        if let transaction { return try part(of: transaction, work) }
        try overwriteFailedCommit()
        try destroyObsoleteKeys()
        keyChanges = KeyChanges()
        (afterCommit, afterWriting, stagedEpoch) = ([], [], nil)
        var isCommitting = false
        do {
            let result = try LedgerFiles.mappingErrors(at: database.path) {
                try queue.write { db in
                    let result = try work(db)
                    leaveSpareKeys()
                    let areKeysTouched = !keyChanges.made.isEmpty || !keyChanges.obsolete.isEmpty
                    if areKeysTouched && stagedEpoch == nil { try raiseKeyEpoch(db) }
                    isCommitting = true
                    return result
                }
            }
            try failCommit?()
            commits += 1
            unwrittenEpoch = stagedEpoch
            for work in afterWriting + afterCommit { work() }
            (afterCommit, afterWriting, catalogueIsChanging) = ([], [], false)
            return result
        } catch {
            (afterCommit, afterWriting) = ([], [])
            if catalogueIsChanging { readAnew() }
            if isCommitting {
                doubtfulKeys += keyChanges.made
            } else {
                // What cannot be overwritten now has no owner, and is overwritten at the next start.
                try? keys.destroy(keyChanges.made)
            }
            throw error
        }
    }

    /// What a commit that failed at its sync wrote may lie whole in the write-ahead log: whoever opens the file after a kill takes
    /// it for committed, and its records need their keys. A further commit writes over it, from the same place on; only then are
    /// these keys nobody's for good. (After a kill the next start overwrites those that have no owner.)
    private func overwriteFailedCommit() throws {
        guard !doubtfulKeys.isEmpty else { return }
        try LedgerFiles.mappingErrors(at: database.path) {
            try queue.write { db in
                // Another number every time: a transaction that changes nothing writes nothing.
                let failed = try Meta.failedCommits.value(Int.self, db) ?? 0
                try Meta.failedCommits.set(failed &+ 1, db)
            }
        }
        try keys.destroy(doubtfulKeys)
        doubtfulKeys = []
    }

    /// What memory holds of the database went ahead of it.
    func readAnew() {
        (cachedCatalogue, stagedPeople, catalogueIsChanging) = (nil, [:], false)
        (cachedShortened, tombstoneCount, readers) = (nil, nil, [:])
    }

    /// nil: it is gone, or lies in a damaged slot or beyond the end of an older copy of the folder. Its owner gets another.
    func livingKey(_ reference: KeyReference) throws -> SymmetricKey? {
        do {
            return try keys.key(reference)
        } catch LedgerError.corrupt {
            return nil
        }
    }

    /// Gives up the key of what workers keep of a shard beside prompts: its data is not what it was made from any more.
    func dropKey(ofShard shard: Int, _ db: Database) throws {
        let row = try Row.fetchOne(
            db, sql: "SELECT slot, key FROM shards WHERE shard = ? AND slot IS NOT NULL", arguments: [shard])
        guard let row else { return }
        keyChanges.obsolete.append(try KeyReference(row: row, in: "shards"))
        try db.execute(sql: "UPDATE shards SET slot = NULL, key = NULL WHERE shard = ?", arguments: [shard])
    }

    /// Overwrites the keys that committed transactions gave up, and gives the folder their epoch. What could not be written is tried
    /// again before anything else is committed.
    func destroyObsoleteKeys() throws {
        guard !obsoleteKeys.isEmpty || unwrittenEpoch != nil else { return }
        try keys.destroy(obsoleteKeys, epoch: unwrittenEpoch)
        (obsoleteKeys, unwrittenEpoch) = ([], nil)
    }

    /// Another key folder took the place of one that is lost: whoever finds the old folder can read what was sealed before.
    static func forgetKeys(_ db: Database) throws {
        try db.execute(sql: "UPDATE copies SET sealed = 0")
    }

    /// Where keys are named: slot and key.
    private static let owners = [
        ("people", "slot", "key"), ("shards", "slot", "key"), ("adapters", "slot", "key"),
        ("corrections", "slot", "key"), ("corrections", "changes_slot", "changes_key"), ("imports", "slot", "key"),
        ("sums", "slot", "key"), ("partition", "slot", "key"), (batches, "slot", "key"),
    ]
    /// They have no row number.
    private static let batches = "staged_batches"
    /// Where a key that a transaction named is on the disk before it commits: all but sums (`takeKeysOfSums`).
    static let tablesOfAwaitedKeys = owners.map(\.0).filter { $0 != "sums" }

    /// Everything that has a key. A row that does not say any more which one has none: it is found damaged, and the key is nobody's.
    ///
    /// - Parameter tables: nil: all.
    func owners(in tables: [String]? = nil) throws -> Set<KeyReference> {
        var owners: Set<KeyReference> = []
        for (table, slot, key) in Self.owners where tables?.contains(table) ?? true {
            try read { db in
                let rows = try Row.fetchCursor(
                    db, sql: "SELECT \(slot) AS slot, \(key) AS key FROM \(table) WHERE \(slot) IS NOT NULL")
                while let row = try rows.next() {
                    if let reference = KeyReference(readable: row) { owners.insert(reference) }
                }
            }
        }
        return owners
    }

    /// Overwrites every key without an owner, and every damaged slot but people's. Whose key is lost goes without: people's records
    /// are lost then, and found damaged; their slots go with them.
    ///
    /// - Throws: `LedgerError.keyUnusable`, before anything is overwritten, where the folder is not the database's own and nobody
    ///   said that it may be so.
    func settleKeys(accepting accepted: AcceptedLosses, at time: Date) throws {
        try takeKeyFolder(accepting: accepted, at: time)
        // A commit that was only read from the log may not lie on the disk: keys whose owners it took away would be gone, and a loss of
        // power would bring the owners back. From here on the log is empty, and all of it synced in the database.
        checkpointer.settle()
        try LedgerFiles.mappingErrors(at: database.path) {
            try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        }
        try dropLostKeys(at: time)
        _ = try keys.destroyAll(except: owners())
    }

    private func dropImportsWithoutKeys() throws {
        let rows = try read {
            try Row.fetchAll(
                $0,
                sql: "SELECT import, slot, key FROM staged_batches WHERE slot IS NOT NULL ORDER BY import, sequence")
        }
        let lost = try rows.filter { try KeyReference(readable: $0).flatMap(livingKey) == nil }
        guard !lost.isEmpty else { return }
        let imports: Set<String> = try Set(lost.map { try $0.value("import", in: Self.batches) })
        try commit { db in for importID in imports.sorted() { try dropStaging(importID, db) } }
    }

    private func dropLostKeys(at time: Date) throws {
        try dropImportsWithoutKeys()
        for (table, slot, key) in Self.owners where table != "people" && table != Self.batches {
            let rows = try read {
                try Row.fetchAll(
                    $0,
                    sql: """
                        SELECT rowid AS row, \(slot) AS slot, \(key) AS key FROM \(table) WHERE \(slot) IS NOT NULL
                        """)
            }
            let lost = try rows.filter { try KeyReference(readable: $0).flatMap(livingKey) == nil }
            guard !lost.isEmpty else { continue }
            try commit { db in
                for row in lost {
                    let number: Int64 = try row.value("row", in: table)
                    // A damaged slot still holds most of a key, and has no owner once this is committed.
                    if let reference = KeyReference(readable: row) { keyChanges.obsolete.append(reference) }
                    if table == "imports" {
                        let id = try String.fetchOne(
                            db, sql: "SELECT import FROM imports WHERE rowid = ?", arguments: [number])
                        if let id { try dropStaging(id, db) }
                    } else if table == "sums" {
                        try db.execute(sql: "DELETE FROM sums WHERE rowid = ?", arguments: [number])
                    } else if table == "partition" {
                        try loseCentres(at: time, db)
                    } else if slot != "slot" {
                        try db.execute(
                            sql: "UPDATE \(table) SET \(slot) = NULL, \(key) = NULL WHERE rowid = ?",
                            arguments: [number])
                        try giveUpCorrection(shard: Int(number), .originalDamaged, at: time, db)
                    } else {
                        try db.execute(
                            sql: "UPDATE \(table) SET slot = NULL, key = NULL WHERE rowid = ?", arguments: [number])
                    }
                }
            }
        }
    }
}

extension KeyReference {
    init(row: Row, in table: String) throws {
        self.init(slot: try row.value("slot", in: table), id: try row.value("key", in: table))
    }

    /// nil: the row does not say any more which it was.
    init?(readable row: Row) {
        guard let reference = try? KeyReference(row: row, in: "") else { return nil }
        self = reference
    }
}
