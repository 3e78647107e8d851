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

    package init(folder: URL? = nil, master: SymmetricKey? = nil) {
        self.folder = folder
        self.master = master
    }
}

extension KeyFolder {
    /// Opens a ledger's key folder, and notes in the database that there is one: from then on it must not be missing.
    ///
    /// - Parameter acceptsNew: where it is missing, cut, damaged or another cluster's, it is put aside (`….unusable-N`) and a new
    ///   one made; nobody has a key then.
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
        let (keys, isReplacement) = try open(
            folder, cluster: cluster, isNew: !isKnown, master: options.master, acceptsNew: acceptsNew)
        if !isKnown || isReplacement {
            try queue.write { db in
                try Meta.keysMade.set(true, db)
                if isReplacement { try Ledger.forgetKeys(db) }
            }
        }
        return keys
    }

    private static func holdsKeys(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("slots").path)
    }

    private static func open(
        _ folder: URL, cluster: String, isNew: Bool, master: SymmetricKey?, acceptsNew: Bool
    ) throws -> (folder: KeyFolder, isReplacement: Bool) {
        do {
            return (try KeyFolder(folder: folder, cluster: cluster, isNew: isNew, master: master), false)
        } catch LedgerError.keyUnusable where acceptsNew {
            if access(folder.path, F_OK) == 0 {
                let name = (1...1000).lazy.map { "\(folder.path).unusable-\($0)" }
                    .first { !FileManager.default.fileExists(atPath: $0) }
                guard let name, rename(folder.path, name) == 0 else {
                    throw LedgerError(FileFailure("cannot put aside", folder.path))
                }
            }
            return (try KeyFolder(folder: folder, cluster: cluster, isNew: true, master: master), true)
        }
    }
}
