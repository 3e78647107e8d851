import Foundation
import GRDB
import LanguageModels

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

    /// The failure of the last system call.
    static func systemError(_ what: String, path: String) -> LedgerError {
        let code = errno
        if code == ENOSPC || code == EDQUOT { return .diskFull(path: path) }
        return .storage(path: path, reason: "\(what): \(String(cString: strerror(code)))")
    }

    static func makeDirectory(_ directory: URL) throws {
        guard PrivateFiles.makeDirectory(directory.path) else {
            throw systemError("cannot make the directory", path: directory.path)
        }
        PrivateFiles.tighten(directory.path)
    }

    /// Takes others' rights away from what an earlier release wrote. What lies beside it is not the ledger's.
    static func tighten(_ directory: URL) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        where name.hasPrefix("ledger.") || name.hasSuffix(".key")
            || ["adapters", "audit.head", "endpoint"].contains(name)
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
            throw systemError("cannot make", path: file.path)
        }
    }

    /// Takes the data directory for this process; the lock goes with the process, however that ends.
    static func lock(_ file: URL) throws -> Int32 {
        let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemError("cannot open", path: file.path) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
        let busy = errno == EWOULDBLOCK
        let error = systemError("cannot lock", path: file.path)
        _ = close(descriptor)
        throw busy ? LedgerError.inUse(path: file.deletingLastPathComponent().path) : error
    }

    /// Writes a file that is either there whole and durable, or not there at all.
    static func writeAtomically(_ bytes: some ContiguousBytes, to file: URL, mode: mode_t = 0o600) throws {
        let temporary = file.appendingPathExtension("partial")
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw systemError("cannot write", path: temporary.path) }
        do {
            defer { _ = close(descriptor) }
            try bytes.withUnsafeBytes { buffer in
                var done = 0
                while done < buffer.count {
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                    let written = write(descriptor, rest.baseAddress, rest.count)
                    if written < 0 && errno == EINTR { continue }
                    guard written > 0 else { throw systemError("cannot write", path: temporary.path) }
                    done += written
                }
            }
            guard fsync(descriptor) == 0 else { throw systemError("cannot write", path: temporary.path) }
            guard rename(temporary.path, file.path) == 0 else { throw systemError("cannot write", path: file.path) }
            try synchronise(directory: file.deletingLastPathComponent())
        } catch {
            _ = unlink(temporary.path)
            throw error
        }
    }

    /// Makes renames and deletions in a directory durable.
    static func synchronise(directory: URL) throws {
        let descriptor = open(directory.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("cannot open", path: directory.path) }
        defer { _ = close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError("cannot write", path: directory.path) }
    }

    static func read(_ file: URL) throws -> [UInt8] {
        let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("cannot open", path: file.path) }
        defer { _ = close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = buffer.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw systemError("cannot read", path: file.path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// Deletes every file of the directory that is not wanted.
    static func keepOnly(_ names: Set<String>, in directory: URL) throws {
        guard let stream = opendir(directory.path) else {
            throw systemError("cannot list", path: directory.path)
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
            guard unlink(path) == 0 || errno == ENOENT else { throw systemError("cannot delete", path: path) }
        }
        if !found.isEmpty { try synchronise(directory: directory) }
    }
}
