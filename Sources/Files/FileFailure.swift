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

extension FileFailure {
    /// What Foundation says of a file: for a folder in the place of a file and much else, without this, only a number.
    ///
    /// - Returns: nil: no file has to do with it, or nothing is known but Foundation's own words.
    package init?(_ what: String, _ error: any Error) {
        let error = error as NSError
        guard error.domain == NSCocoaErrorDomain, let cause = error.userInfo[NSUnderlyingErrorKey] as? any Error else {
            return nil
        }
        let system = cause as NSError
        guard system.domain == NSPOSIXErrorDomain, let code = Int32(exactly: system.code) else { return nil }
        self.init(what, error.userInfo[NSFilePathErrorKey] as? String ?? "", code: code)
    }

    /// Why something with a file failed, for the end of a sentence.
    package static func reason(of error: any Error) -> String {
        if let failure = error as? FileFailure { return failure.reason }
        return FileFailure("", error)?.reason ?? error.localizedDescription
    }
}
