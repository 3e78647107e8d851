import Foundation
import GRDB
import Messages

/// A folder of keys that was put aside: whoever has it, or a copy, can read what was sealed with it.
///
/// That it is not there when a ledger is opened says little: the data may lie on another machine now, in another place, or have
/// come back from a backup. It is gone where the very folder that it lay in is there without it.
struct KeysPutAside: Codable, Hashable {
    /// Absolute.
    var path: String
    /// Of the folder that it lies in.
    var device: UInt64
    var inode: UInt64

    /// nil: there is nothing at this place, or nobody can see it.
    init?(_ folder: URL) {
        guard let parent = Self.parent(of: folder.path) else { return nil }
        path = folder.standardizedFileURL.path
        (device, inode) = (UInt64(parent.st_dev), UInt64(parent.st_ino))
    }

    var isThere: Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    var isGone: Bool {
        guard let parent = Self.parent(of: path), UInt64(parent.st_dev) == device, UInt64(parent.st_ino) == inode
        else { return false }
        var status = stat()
        return lstat(path, &status) != 0 && errno == ENOENT
    }

    private static func parent(of path: String) -> stat? {
        var status = stat()
        return stat(URL(fileURLWithPath: path).deletingLastPathComponent().path, &status) == 0 ? status : nil
    }
}

extension Ledger {
    /// - Throws: `LedgerError.invalidConfiguration` for one that is said to be destroyed and is still there.
    static func requireGone(_ destroyed: [URL]) throws {
        for path in destroyed.map(\.standardizedFileURL.path) {
            var status = stat()
            guard lstat(path, &status) != 0 else {
                throw LedgerError.invalidConfiguration(
                    reason: "the keys that were put aside at \(path) are still there: destroy them first")
            }
        }
    }

    /// Remembers where folders of keys were put aside, until they are seen to be gone or said to be destroyed. Whoever says it at
    /// every start is only told that nothing is on record any more.
    func settleKeysPutAside(destroyed: [URL], at time: Date) throws {
        let recorded = try read { try Meta.keysPutAside.value([KeysPutAside].self, $0) ?? [] }
        let found = keys.foundAside.filter { access($0.path, F_OK) == 0 }.compactMap(KeysPutAside.init)
        let there = Set(found.map(\.path))
        let known = recorded.filter { !there.contains($0.path) && !$0.isGone } + found
        let paths = destroyed.map(\.standardizedFileURL.path)
        let places = Set(known.map(\.path))
        destroyedBefore = paths.filter { !places.contains($0) }
        let left = known.filter { !paths.contains($0.path) }.sorted { $0.path < $1.path }
        if left != recorded {
            try commit { db in
                for path in paths where places.contains(path) {
                    try audit(db, "keys said to be destroyed", ["folder": path], at: time)
                }
                try Meta.keysPutAside.set(left, db)
            }
        }
        keysAside = left
    }

    /// Noted before they are put aside.
    static func note(keysPutAside folder: URL, _ db: Database) throws {
        guard let place = KeysPutAside(folder) else { return }
        let recorded = try Meta.keysPutAside.value([KeysPutAside].self, db) ?? []
        try Meta.keysPutAside.set(recorded.filter { $0.path != place.path } + [place], db)
    }

    /// Paths of folders of keys that were put aside and are not known to be gone.
    package var keysPutAside: [String] { keysAside.filter { !$0.isGone }.map(\.path) }

    var warningsOfKeysPutAside: [String] {
        keysAside.filter { !$0.isGone }.map { place in
            let holds =
                "holds keys of before: whoever has it can read what was sealed with them, also of people who are forgotten "
                + "since. Destroy it"
            return place.isThere
                ? "\(place.path) \(holds) as soon as it is not needed to read an older copy of the database"
                : "\(place.path), which is not to be seen from here, or a copy of it, \(holds), and start once with "
                    + "--accept-destroyed-keys \(place.path)"
        }
            + destroyedBefore.map { path in
                "no keys are on record that were put aside at \(path) and are not known to be gone: leave "
                    + "--accept-destroyed-keys \(path) out"
            }
    }
}
