import Foundation
import Messages

/// Which files a ledger has open, by device and inode.
///
/// Who removes the data directory, or puts a copy in its place, leaves a running process with files that no name leads to:
/// what it writes there is gone when it ends. The files cannot be confused with later ones, since an inode is not given
/// out again while it is open.
struct LedgerOpenFiles: Sendable {
    private struct Entry: Sendable {
        var path: String
        var device: dev_t
        var inode: ino_t

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            self.path = path
            (device, inode) = (status.st_dev, status.st_ino)
        }
    }

    private let entries: [Entry]

    /// - Parameters:
    ///   - lock: the descriptor of the lock file.
    ///   - database: open, in WAL mode.
    /// - Throws: `LedgerError.replaced` when they are others already.
    init(lock: Int32, lockFile: URL, database: URL) throws {
        entries = try [lockFile.path, database.path, database.path + "-wal"].map { path in
            guard let entry = Entry(path) else { throw LedgerError.replaced(path: path) }
            return entry
        }
        var status = stat()
        guard fstat(lock, &status) == 0, status.st_dev == entries[0].device, status.st_ino == entries[0].inode else {
            throw LedgerError.replaced(path: lockFile.path)
        }
    }

    /// A few microseconds.
    ///
    /// - Throws: `LedgerError.replaced`.
    func check() throws {
        for entry in entries {
            guard let now = Entry(entry.path), now.device == entry.device, now.inode == entry.inode else {
                throw LedgerError.replaced(path: entry.path)
            }
        }
    }
}
