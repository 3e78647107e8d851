import Files
import Foundation

/// What stands in for keys where a coordinator listens on loopback and was given none: a pair of keys in its data folder, which only
/// its user can read, and notes that lead the processes of the same user on the same machine there.
///
/// A note is locked for as long as its coordinator lives: one that a killed process has left says nothing.
package struct LocalCoordinators: Sendable {
    /// Paths of key files.
    package struct Keys: Hashable, Sendable {
        /// What clients and workers show.
        package var own: String
        /// What they expect of the coordinator.
        package var coordinator: String
    }

    /// Below the data folder.
    package static let clientKey = "local-client.key"
    package static let coordinatorKey = "local-coordinator.key"
    private static let longestPath = 4096

    /// Where notes lie; of several, each has all.
    private let folders: [String]
    private let host: String

    /// `lethe/local` below `$XDG_STATE_HOME` and below `~/.local/state`: processes of one user do not all have the same
    /// environment.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let states = [environment["XDG_STATE_HOME"], environment["HOME"].map { $0 + "/.local/state" }]
        var folders: [String] = []
        for state in states.compactMap(\.self) where state.hasPrefix("/") && !folders.contains(state + "/lethe/local") {
            folders.append(state + "/lethe/local")
        }
        self.folders = folders
        // A home may be several machines'.
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0)) }
    }

    private func path(_ folder: String, _ place: String) -> String { "\(folder)/\(host)-\(place)" }

    // MARK: clients

    /// The keys of the coordinator that listens there; nil: none of this user does, or it has given no note.
    ///
    /// - Parameter place: an address and a port, as everybody writes them.
    package func keys(at place: String) -> Keys? {
        for folder in folders {
            guard let data = Self.note(path(folder, place)) else { continue }
            return Keys(own: "\(data)/\(Self.clientKey)", coordinator: "\(data)/\(Self.coordinatorKey)")
        }
        return nil
    }

    /// A data folder, from the note of a coordinator that lives and is this user's.
    private static func note(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0, status.st_size <= longestPath
        else { return nil }
        // Whoever gets the lock has nobody's note.
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
        var bytes = [UInt8](repeating: 0, count: longestPath)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 1, bytes[count - 1] == UInt8(ascii: "\n"), bytes[0] == UInt8(ascii: "/") else { return nil }
        return String(validating: bytes[..<(count - 1)], as: UTF8.self)
    }

    // MARK: the coordinator

    /// A note that is true for as long as this lives.
    package final class Note: Sendable {
        private let lock: LockFile
        private let path: String

        fileprivate init(_ lock: LockFile, _ path: String) {
            (self.lock, self.path) = (lock, path)
        }

        deinit { unlink(path) }
    }

    /// Leads this user's clients to the data folder.
    ///
    /// - `patience`: for a file that somebody looks at just now, and for a descriptor.
    /// - Returns: no notes where there is no place for them.
    package func announce(_ dataFolder: String, at place: String, patience: Duration = .seconds(5)) -> [Note] {
        folders.compactMap { folder in
            guard PrivateFiles.makeDirectory(folder) else { return nil }
            let path = path(folder, place)
            guard let lock = Self.lock(path, until: .now + patience) else { return nil }
            return Self.write(dataFolder, to: lock) ? Note(lock, path) : nil
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

    private static func write(_ dataFolder: String, to lock: LockFile) -> Bool {
        let bytes = Array((dataFolder + "\n").utf8)
        return bytes.count <= longestPath && ftruncate(lock.descriptor, 0) == 0
            && pwrite(lock.descriptor, bytes, bytes.count, 0) == bytes.count && fchmod(lock.descriptor, 0o600) == 0
    }
}
