import Foundation

/// Files that are replaced whole or not at all, also when the power fails.
enum AtomicFile {
    static let temporarySuffix = ".lethe-temporary"

    /// Writes a temporary file beside the target, syncs it, renames it over the target and syncs the directory. A failure
    /// leaves the target as it was and no temporary file.
    static func write(_ bytes: [UInt8], to path: String) throws(TaskFailure) {
        let temporary = path + temporarySuffix
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot make", temporary) }
        do throws(TaskFailure) {
            defer { close(descriptor) }
            try writeAll(bytes, to: descriptor, path: temporary)
            guard fsync(descriptor) == 0 else { throw failure("cannot write", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let failure = failure("cannot replace", path)
            unlink(temporary)
            throw failure
        }
        try syncDirectory((path as NSString).deletingLastPathComponent)
    }

    /// A file that does not exist counts as removed. The directory is not synced.
    static func remove(_ path: String) throws(TaskFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("cannot delete", path) }
    }

    static func syncDirectory(_ path: String) throws(TaskFailure) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("cannot sync", path) }
    }

    /// nil when there is no such file, or it cannot be read.
    static func read(_ path: String) -> [UInt8]? {
        FileManager.default.contents(atPath: path).map { Array($0) }
    }

    /// The code is `disk-full` where that is the reason, else `storage`.
    static func failure(_ what: String, _ path: String) -> TaskFailure {
        let code = errno
        let isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
        return TaskFailure(
            code: isFull ? "disk-full" : "storage", message: "\(what) \(path): \(String(cString: strerror(code)))")
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(TaskFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                return Foundation.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot write", path) }
            written += count
        }
    }
}
