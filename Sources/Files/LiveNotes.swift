import Foundation

/// Notes for other processes of the same user, each true for as long as the process that has left it lives.
///
/// A note's file is locked until then: what a killed process has left says nothing. A text has one line, of at most 4 KiB.
package struct LiveNotes: Sendable {
    private static let longest = 4096

    /// Where notes lie; of several, each has all.
    private let folders: [String]

    package init(folders: [String]) {
        self.folders = folders
    }

    /// What the note says; nil: there is none of this user, or nobody stands by it.
    package func text(of name: String) -> String? {
        for folder in folders {
            if let text = Self.text("\(folder)/\(name)") { return text }
        }
        return nil
    }

    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0, status.st_size <= longest
        else { return nil }
        // Whoever gets the lock has nobody's note.
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
        var bytes = [UInt8](repeating: 0, count: longest)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 1, bytes[count - 1] == UInt8(ascii: "\n") else { return nil }
        return String(validating: bytes[..<(count - 1)], as: UTF8.self)
    }

    /// - `patience`: for a file that somebody looks at just now, and for a descriptor.
    /// - Returns: what has to live for as long as it is true; nothing where there is no place for notes.
    package func leave(_ text: String, named name: String, patience: Duration = .seconds(5)) -> [LiveNote] {
        folders.compactMap { folder in
            guard PrivateFiles.makeDirectory(folder) else { return nil }
            let path = "\(folder)/\(name)"
            guard let lock = Self.lock(path, until: .now + patience) else { return nil }
            return Self.write(text, to: lock) ? LiveNote(lock, path) : nil
        }
    }

    private static func lock(_ path: String, until end: ContinuousClock.Instant) -> LockFile? {
        while true {
            do throws(LockFile.Failure) {
                return try LockFile(path)
            } catch {
                switch error {
                case .inUse, .vanished: break
                case .system(let failure): guard [EMFILE, ENFILE].contains(failure.code) else { return nil }
                }
                guard ContinuousClock.now < end else { return nil }
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
    }

    private static func write(_ text: String, to lock: LockFile) -> Bool {
        let bytes = Array((text + "\n").utf8)
        return bytes.count <= longest && ftruncate(lock.descriptor, 0) == 0
            && pwrite(lock.descriptor, bytes, bytes.count, 0) == bytes.count
            && fchmod(lock.descriptor, PrivateFiles.fileMode) == 0
    }
}

/// A note that is true for as long as this lives.
package final class LiveNote: Sendable {
    private let lock: LockFile
    private let path: String

    fileprivate init(_ lock: LockFile, _ path: String) {
        (self.lock, self.path) = (lock, path)
    }

    deinit { unlink(path) }
}
