import Files
import Foundation
import GRDB
import Messages

/// The ledger's files and what can go wrong with them, as `LedgerError`.
enum LedgerFiles {
    /// Runs a piece of work and names its failures for people.
    static func mappingErrors<Result>(at path: String, _ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch let error as DatabaseError {
            throw ledgerError(error, path: path)
        } catch let error as RowDecodingError {
            throw LedgerError(error, path: path)
        } catch let error as DecodingError {
            throw LedgerError.corrupt(path: path, reason: "a stored value cannot be read: \(error)")
        }
    }

    private static func ledgerError(_ error: DatabaseError, path: String) -> LedgerError {
        let reason = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_FULL: .diskFull(path: path)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt(path: path, reason: reason)
        case .SQLITE_BUSY, .SQLITE_LOCKED: .inUse(path: path)
        default: .storage(path: path, reason: reason)
        }
    }

    static func makeDirectory(_ directory: URL) throws {
        guard PrivateFiles.makeDirectory(directory.path) else {
            throw LedgerError(FileFailure("cannot make the directory", directory.path))
        }
        PrivateFiles.tighten(directory.path)
    }

    /// Takes others' rights away from what an earlier release wrote. What lies beside it is not the ledger's.
    static func tighten(_ directory: URL) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        where name.hasPrefix("ledger.") || name.hasSuffix(".key")
            || ["adapters", "audit.head", "endpoint", "keys"].contains(name)
        {
            PrivateFiles.tightenTree("\(directory.path)/\(name)")
        }
    }

    /// Makes the database's file before SQLite does, which gives its write-ahead log
    /// and its index the mode that the database has at that moment.
    static func makePrivateDatabase(_ file: URL) throws {
        let descriptor = Foundation.open(
            file.path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, PrivateFiles.fileMode)
        if descriptor >= 0 {
            _ = close(descriptor)
            try synchronise(directory: file.deletingLastPathComponent())
        } else if errno != EEXIST {
            throw LedgerError(FileFailure("cannot make", file.path))
        }
    }

    /// Lets go of what memory holds of a file. What was written and not synced yet stays.
    static func dropCache(of path: String) {
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        _ = close(descriptor)
    }

    /// Takes the data directory for this process.
    ///
    /// Waits up to a second for it: the lock of a process that was just killed goes when the system has cleared it away.
    static func lock(_ file: URL) throws(LedgerError) -> LockFile {
        var attemptsLeft = 20
        while true {
            do throws(LockFile.Failure) {
                return try LockFile(file.path)
            } catch {
                switch error {
                case .inUse where attemptsLeft > 0:
                    attemptsLeft -= 1
                    Thread.sleep(forTimeInterval: 0.05)
                case .inUse: throw .inUse(path: file.deletingLastPathComponent().path)
                case .vanished: throw .replaced(path: file.path)
                case .system(let failure): throw LedgerError(failure)
                }
            }
        }
    }

    /// Writes a file that is either there whole and durable, or not there at all.
    static func writeAtomically(_ bytes: some ContiguousBytes, to file: URL) throws(LedgerError) {
        try mappingFailures { () throws(FileFailure) in try AtomicFile.write(bytes, to: file.path) }
    }

    /// Overwrites a file with zeros, durably, and deletes it.
    static func erase(_ file: URL) throws {
        try mappingFailures { () throws(FileFailure) in try AtomicFile.erase(file.path) }
        try synchronise(directory: file.deletingLastPathComponent())
    }

    /// Makes renames and deletions in a directory durable.
    static func synchronise(directory: URL) throws(LedgerError) {
        try mappingFailures { () throws(FileFailure) in try AtomicFile.syncDirectory(directory.path) }
    }

    static func read(_ file: URL) throws(LedgerError) -> [UInt8] {
        try mappingFailures { () throws(FileFailure) in try AtomicFile.read(file.path) }
    }

    private static func mappingFailures<Result>(
        _ work: () throws(FileFailure) -> Result
    ) throws(LedgerError) -> Result {
        do throws(FileFailure) {
            return try work()
        } catch {
            throw LedgerError(error)
        }
    }

    /// Deletes every file of the directory that is not wanted.
    static func keepOnly(_ names: Set<String>, in directory: URL) throws {
        guard let stream = opendir(directory.path) else {
            throw LedgerError(FileFailure("cannot list", directory.path))
        }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." && !names.contains(name) { found.append(name) }
        }
        _ = closedir(stream)
        for name in found.sorted() {
            let path = directory.appendingPathComponent(name).path
            guard unlink(path) == 0 || errno == ENOENT else { throw LedgerError(FileFailure("cannot delete", path)) }
        }
        if !found.isEmpty { try synchronise(directory: directory) }
    }
}
