import Files
import Foundation
import GRDB
import Messages

/// Takes the people of a ledger of before into sealed records: in a new file beside the old one, which takes its place, is
/// overwritten and deleted. Needs room for one copy. A start that is killed in the middle begins again.
enum RecordMigration {
    static func newFile(beside database: URL) -> URL { database.appendingPathExtension("new") }
    private static func oldFile(beside database: URL) -> URL { database.appendingPathExtension("old") }
    private static func log(of database: URL) -> URL { database.withSuffix("-wal") }
    private static func oldLog(of database: URL) -> URL { database.withSuffix("-wal.old") }

    /// What a start that was killed left behind: a new file that is not whole, or an old one that is not erased.
    static func removeLeftovers(beside database: URL) throws {
        let new = newFile(beside: database)
        for file in [new, new.withSuffix("-wal"), new.withSuffix("-shm")] { try LedgerFiles.erase(file) }
        try eraseUnlessInUse(oldLog(of: database), log(of: database))
        try eraseUnlessInUse(oldFile(beside: database), database)
    }

    /// Overwrites and deletes a file; where it is the other one by another name, only this name goes.
    private static func eraseUnlessInUse(_ file: URL, _ other: URL) throws {
        guard let identity = Identity(file.path) else { return }
        if identity == Identity(other.path) {
            guard unlink(file.path) == 0 else { throw LedgerError(FileFailure("cannot delete", file.path)) }
        } else {
            try LedgerFiles.erase(file)
        }
    }

    /// Gives the old file's write-ahead log a second name: SQLite deletes it when the file is closed, and overwrites nothing.
    static func holdLog(of database: URL) throws {
        guard Identity(log(of: database).path) != nil else { return }
        guard link(log(of: database).path, oldLog(of: database).path) == 0 else {
            throw LedgerError(FileFailure("cannot link", log(of: database).path))
        }
    }

    /// Puts the new file in the place of the old one, which is erased. Both must be closed.
    static func exchange(_ database: URL) throws {
        let (new, old) = (newFile(beside: database), oldFile(beside: database))
        for file in [database.withSuffix("-wal"), new.withSuffix("-wal")] where Identity(file.path) != nil {
            throw LedgerError.inUse(path: file.path)
        }
        // The old file keeps a name until it is overwritten.
        guard link(database.path, old.path) == 0 else { throw LedgerError(FileFailure("cannot link", old.path)) }
        try LedgerFiles.synchronise(directory: database.deletingLastPathComponent())
        guard rename(new.path, database.path) == 0 else {
            throw LedgerError(FileFailure("cannot rename", new.path))
        }
        try LedgerFiles.synchronise(directory: database.deletingLastPathComponent())
        try LedgerFiles.erase(old)
        try LedgerFiles.erase(oldLog(of: database))
    }

    private struct Identity: Equatable {
        var device: dev_t
        var inode: ino_t

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            (device, inode) = (status.st_dev, status.st_ino)
        }
    }
}

extension URL {
    fileprivate func withSuffix(_ suffix: String) -> URL { URL(fileURLWithPath: path + suffix) }
}
