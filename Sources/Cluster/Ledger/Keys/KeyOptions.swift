import Crypto
import Files
import Foundation
import GRDB
import Messages

/// Where the keys lie and what they are sealed with.
package struct KeyOptions: Sendable {
    /// nil: `keys`, below the data directory.
    package var folder: URL?
    /// nil: the keys lie in clear, readable for whoever reads the folder.
    package var master: SymmetricKey?
    /// Folders of keys that were put aside, which somebody says are destroyed with every copy.
    package var destroyed: [URL]

    package init(folder: URL? = nil, master: SymmetricKey? = nil, destroyed: [URL] = []) {
        self.folder = folder
        self.master = master
        self.destroyed = destroyed
    }
}

extension KeyFolder {
    /// Opens a ledger's key folder, and notes in the database that there is one: from then on it must not be missing.
    ///
    /// - Parameter acceptsNew: where it is missing, cut, damaged or another cluster's, it is put aside (`….unusable-N`) and a new
    ///   one made; nobody has a key then. That is in the database before anything is done. Whole keys that only the master key
    ///   does not fit stay where they are.
    /// - Throws: as `init`; also where two folders may be meant.
    static func open(
        _ options: KeyOptions, beside directory: URL, _ queue: DatabaseQueue, cluster: String, acceptsNew: Bool
    ) throws -> KeyFolder {
        let usual = directory.appendingPathComponent("keys")
        let folder = options.folder ?? usual
        if folder.standardizedFileURL.path != usual.standardizedFileURL.path, holdsKeys(folder), holdsKeys(usual) {
            throw LedgerError.keyUnusable(
                path: folder.path,
                reason:
                    "there are keys in \(usual.path) too; leave only the folder that was used last, and delete the other"
            )
        }
        let isKnown = try queue.read { try Meta.keysMade.value(Bool.self, $0) ?? false }
        let keys = try open(folder, cluster: cluster, isNew: !isKnown, master: options.master, acceptsNew ? queue : nil)
        // Keys may have lain there before they were moved.
        if folder.standardizedFileURL.path != usual.standardizedFileURL.path {
            keys.foundAside += foldersPutAside(beside: usual)
        }
        if !isKnown { try queue.write { try Meta.keysMade.set(true, $0) } }
        return keys
    }

    private static func holdsKeys(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("slots").path)
    }

    /// - Parameter replacing: where it is written down that another folder takes the place of this one; nil: none may.
    private static func open(
        _ folder: URL, cluster: String, isNew: Bool, master: SymmetricKey?, _ replacing: DatabaseQueue?
    ) throws -> KeyFolder {
        do {
            return try KeyFolder(folder: folder, cluster: cluster, isNew: isNew, master: master)
        } catch LedgerError.keyUnusable(let path, let reason) {
            guard let replacing else { throw LedgerError.keyUnusable(path: path, reason: reason) }
            guard try !isWhole(folder, cluster: cluster) else {
                throw LedgerError.keyUnusable(
                    path: path,
                    reason: "\(reason). --accept-new-keys puts no whole keys aside, which would open what is forgotten "
                        + "later: if nothing opens them any more, destroy the folder first")
            }
            let aside = holdsAnything(folder) ? freeName(beside: folder) : nil
            try replacing.write { db in
                try Ledger.forgetKeys(db)
                if let aside { try Ledger.note(keysPutAside: aside, db) }
                // Of a start that was killed before it could say so.
                let before = try Meta.acceptedKeys.value(AcceptedKeys.self, db)
                let last = try Row.fetchOne(db, sql: "SELECT time FROM audit ORDER BY sequence DESC LIMIT 1")
                try Meta.acceptedKeys.set(
                    AcceptedKeys(
                        putAside: aside?.lastPathComponent ?? before?.putAside,
                        lastEntry: last.map { try $0.date("time", in: "audit").iso8601 }), db)
            }
            if let aside, rename(folder.path, aside.path) != 0 {
                throw LedgerError(FileFailure("cannot put aside", folder.path))
            }
            return try KeyFolder(folder: folder, cluster: cluster, isNew: true, master: master)
        }
    }

    /// Whether these are sound keys of this cluster, or a later release's: what is wrong is how they were to be opened.
    ///
    /// - Throws: `LedgerError` where that cannot be seen.
    private static func isWhole(_ folder: URL, cluster: String) throws -> Bool {
        let path = folder.appendingPathComponent("slots").path
        guard access(path, F_OK) == 0 || errno != ENOENT else { return false }
        do {
            return try KeySlotFile(path).header.cluster == cluster
        } catch LedgerError.keyUnusable {
            return try KeySlotFile.isOfLaterRelease(path)
        }
    }

    /// A volume of its own is there, and cannot be renamed, also when its keys have been destroyed.
    private static func holdsAnything(_ folder: URL) -> Bool {
        guard access(folder.path, F_OK) == 0 else { return false }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return true }
        return names.contains { $0.hasPrefix("slots") }
    }

    private static func freeName(beside folder: URL) -> URL {
        var number = 1
        while true {
            let name = URL(fileURLWithPath: "\(folder.path).\(unusable)\(number)")
            if access(name.path, F_OK) != 0 { return name }
            number += 1
        }
    }

    private static let unusable = "unusable-"

    static func foldersPutAside(beside folder: URL) -> [URL] {
        let parent = folder.deletingLastPathComponent()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
        return names.filter { $0.hasPrefix("\(folder.lastPathComponent).\(unusable)") }.sorted()
            .map { parent.appendingPathComponent($0) }
    }
}
