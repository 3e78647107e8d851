import Foundation

/// Files and directories that only their owner can read, whatever the umask.
package enum PrivateFiles {
    package static let fileMode: mode_t = 0o600
    static let directoryMode: mode_t = 0o700

    /// Makes the directory, and those above it that are missing, with mode 0700; one that is there stays as it is.
    ///
    /// - Returns: false when that is not possible; `errno` says why.
    package static func makeDirectory(_ path: String) -> Bool {
        if mkdir(path, directoryMode) == 0 || errno == EEXIST { return true }
        guard errno == ENOENT else { return false }
        let parent = FilePath.folder(of: path)
        guard parent != path else {
            errno = ENOENT
            return false
        }
        guard makeDirectory(parent) else { return false }
        return mkdir(path, directoryMode) == 0 || errno == EEXIST
    }

    /// Takes everybody else's rights away from a file or directory that has any.
    ///
    /// What belongs to somebody else, such as the root of a volume, stays as its owner made it, and so does a directory
    /// with the sticky bit, which is meant for many. Links are not followed.
    package static func tighten(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_uid == geteuid() else { return }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || (kind == S_IFDIR && status.st_mode & S_ISVTX == 0) else { return }
        let mode = status.st_mode & 0o7777
        if mode & 0o077 != 0 { _ = chmod(path, mode & ~0o077) }
    }

    /// The same for everything below a directory, and the directory itself.
    package static func tightenTree(_ path: String) {
        tighten(path)
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            tightenTree("\(path)/\(name)")
        }
    }

    /// For processes that keep other people's data: what they, or the libraries in them, create from now on is private
    /// from its first byte.
    package static func makePrivate() {
        umask(0o077)
    }
}
