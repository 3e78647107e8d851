import Foundation

extension AtomicFile {
    /// Writes zeros over a file, durably, and deletes it. One that does not exist counts as erased; a symbolic link is refused.
    /// The directory is not synced.
    package static func erase(_ path: String) throws(FileFailure) {
        let descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw FileFailure("cannot open", path)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileFailure("cannot read", path) }
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        var position = 0
        while position < Int(status.st_size) {
            let written = pwrite(descriptor, zeros, min(zeros.count, Int(status.st_size) - position), off_t(position))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw FileFailure("cannot overwrite", path) }
            position += written
        }
        guard fsync(descriptor) == 0, unlink(path) == 0 else { throw FileFailure("cannot delete", path) }
    }
}
