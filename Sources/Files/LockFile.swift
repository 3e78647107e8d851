import Foundation

/// A lock on a file, held for as long as the value lives; it goes with the process, however that ends.
package final class LockFile: Sendable {
    package enum Failure: Error, Hashable {
        case inUse
        /// There is no such file, or it was removed while it was being locked.
        case vanished
        case system(FileFailure)
    }

    /// Open for as long as the lock is held.
    package let descriptor: Int32

    /// - `makesFile`: false: where there is no file, the lock is `vanished`.
    package init(_ path: String, makesFile: Bool = true) throws(Failure) {
        let opened = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (makesFile ? O_CREAT : 0), PrivateFiles.fileMode)
        guard opened >= 0 else {
            throw errno == ENOENT ? .vanished : .system(FileFailure("cannot open", path))
        }
        // With its only property the value is whole: whatever throws from here on, `deinit` runs and closes the file. A
        // second close would hit whatever another thread has opened under the number meanwhile, such as its lock.
        descriptor = opened
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = FileFailure("cannot lock", path)
            throw failure.code == EWOULDBLOCK ? .inUse : .system(failure)
        }
        // Who removes a directory holds its lock: a file that no name leads to any more locks nothing.
        var (held, found) = (stat(), stat())
        guard fstat(descriptor, &held) == 0, stat(path, &found) == 0, held.st_ino == found.st_ino,
            held.st_dev == found.st_dev
        else { throw .vanished }
    }

    /// Its file's time says when it was last used.
    package func touch() { futimens(descriptor, nil) }

    deinit {
        // A child that another thread has just forked has the descriptor too until it becomes another program: closing
        // ours alone would leave the file locked until then.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
