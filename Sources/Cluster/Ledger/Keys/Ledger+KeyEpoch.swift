import Files
import Foundation
import GRDB
import Messages

/// A database and a key folder that do not belong together would bring keys back that were destroyed, or people who were forgotten.
/// Nothing of that can be seen in the keys themselves: a folder of Monday may hold every key that Wednesday's database names, and
/// one that is forgotten since beside them. So both carry an epoch.
///
/// The database's is part of the transaction; the folder's follows with the same sync that makes the noise over the given-up
/// keys durable, and before anything else is committed. Whatever is killed, and whichever of two disks loses its power first, the
/// folder has the database's present epoch or the one before, and then no key is missing yet but of sums, which are counted anew.
extension Ledger {
    /// In every transaction that makes keys or gives some up.
    func raiseKeyEpoch(_ db: Database) throws {
        let recorded = try Meta.keyEpoch.value(RecordedKeyEpoch.self, db)
        let next = KeyEpoch.after(recorded?.present)
        // Still of the start that was told to go on without keys, or whose folder was the right one: whoever has no key yet may be
        // set aside by a later transaction only.
        try Meta.keyEpoch.set(
            RecordedKeyEpoch(present: next, before: recorded?.present, acceptsMissing: recorded?.acceptsMissing), db)
        stagedEpoch = next
    }

    /// The end of a start: nobody is left whose key is missing.
    func endAcceptingMissingKeys() throws {
        guard let recorded = try read({ try Meta.keyEpoch.value(RecordedKeyEpoch.self, $0) }),
            recorded.acceptsMissing != nil
        else { return }
        try commit { db in
            try Meta.keyEpoch.set(RecordedKeyEpoch(present: recorded.present, before: recorded.before), db)
        }
    }

    /// Takes the folder for the database's own, and begins an epoch with it. Both of a release before have none: they are taken
    /// by what is missing, this once.
    ///
    /// - Throws: `LedgerError.keyUnusable`, before anything is written, where the folder or the database is an older one and nobody
    ///   said that it may be so.
    func takeKeyFolder(accepting accepted: AcceptedLosses, at time: Date) throws {
        let recorded = try read { try Meta.keyEpoch.value(RecordedKeyEpoch.self, $0) }
        let found = keys.epoch
        let age = KeyFolderAge(folder: found, recorded)
        var isWaived = false
        switch age {
        case .same: break
        case .unsettled(let epoch):
            // A start that was killed had taken it: what is missing was accepted then, and is on record.
            let isResumed = recorded?.acceptsMissing == true
            // A release before may have lost other keys in a crash.
            let named = try owners(in: epoch == nil ? ["people"] : Self.tablesOfAwaitedKeys)
            let misses = try keys.missing(of: named) > 0
            isWaived = misses && (!isResumed || accepted.contains(.keys))
            guard !isWaived || accepted.contains(.keys) || epoch == nil && accepted.contains(.auditLog) else {
                throw try anotherAge(age)
            }
        case .folderIsOlder:
            isWaived = true
            guard accepted.contains(.keys) else { throw try anotherAge(age) }
        case .databaseIsOlder:
            isWaived = true
            guard !accepted.isDisjoint(with: [.keys, .auditLog]) else { throw try anotherAge(age) }
        }
        try commit { db in
            // Whoever finds the folder that was used last can read what was sealed with it.
            if isWaived, accepted.contains(.keys) { try Ledger.forgetKeys(db) }
            // A new folder has an entry of its own.
            if isWaived, found != nil {
                let waived = WaivedDetail(folder: found?.counter, database: recorded?.present.counter)
                try audit(db, "keys of another age", waived, at: time)
            }
            let next = KeyEpoch.after(recorded?.present, found)
            // From here on it is this database's folder, whatever is missing in it; killed before all is set aside that is lost,
            // the next start goes on.
            try Meta.keyEpoch.set(RecordedKeyEpoch(present: next, before: found, acceptsMissing: true), db)
            stagedEpoch = next
        }
    }

    private func anotherAge(_ age: KeyFolderAge) throws -> LedgerError {
        let people = try owners(in: ["people"])
        let count = try keys.missing(of: people)
        let missing =
            count == 0
            ? "it holds a key for everybody in the database"
            : "it holds no key for \(count) of the \(people.count) people in the database"
        let back =
            "Put back the folder that was used last, or say where it is with --keys-dir; or start once with --accept-new-keys: "
            + "who has no key in it is then lost and has to be imported again"
        let older =
            "the database was put back from a backup: it does not know who was forgotten or changed since. Put back the one "
            + "that was used last, or start once with --accept-audit-log and forget those people again"
        let reason =
            switch age {
            case .databaseIsOlder: "it was used with a later database, and \(missing); \(older)"
            case .folderIsOlder: "it is older than the database, and \(missing). \(back)"
            case .unsettled(nil):
                "\(missing): it is older than the database, or the database is older than it. \(back). Or \(older)"
            case .same, .unsettled:
                "\(missing): the last run was killed with another copy of the folder, or this one is older. \(back)"
            }
        return .keyUnusable(path: keys.folder.path, reason: "\(reason). No key was overwritten")
    }

    private struct WaivedDetail: Encodable {
        var folder: Int64?
        var database: Int64?
    }
}
