import Foundation

/// What the system refused to do with a file.
package struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// "cannot write"
    package var what: String
    package var path: String
    /// `errno`
    package var code: Int32

    package init(_ what: String, _ path: String, code: Int32) {
        self.what = what
        self.path = path
        self.code = code
    }

    /// The failure of the last system call.
    package init(_ what: String, _ path: String) {
        self.init(what, path, code: errno)
    }

    /// Whether there is no room: on the disk, in a quota, or under a limit on the size of files.
    package var isFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    package var reason: String { String(cString: strerror(code)) }

    package var description: String { "\(what) \(path): \(reason)" }
}
