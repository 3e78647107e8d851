import Foundation

/// A lock on a worker's directory, held for as long as the value lives; its file's time says when the directory was last used.
final class DirectoryLock: Sendable {
    enum Failure: Error {
        case inUse
        /// The directory was removed while it was being locked.
        case vanished
        case system(Int32)
    }

    static let name = "lock"
    private let descriptor: Int32

    /// - Parameter makesFile: false: a directory without the file is `vanished`.
    init(directory: String, makesFile: Bool) throws(Failure) {
        let path = directory + "/" + Self.name
        descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (makesFile ? O_CREAT : 0), 0o600)
        guard descriptor >= 0 else { throw errno == ENOENT ? .vanished : .system(errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            throw code == EWOULDBLOCK ? .inUse : .system(code)
        }
        // Whoever removes a directory holds its lock: a file that is no longer the directory's locks nothing.
        var (held, found) = (stat(), stat())
        guard fstat(descriptor, &held) == 0, stat(path, &found) == 0, held.st_ino == found.st_ino,
            held.st_dev == found.st_dev
        else {
            close(descriptor)
            throw .vanished
        }
    }

    func touch() { futimens(descriptor, nil) }

    deinit { close(descriptor) }
}
