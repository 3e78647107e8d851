import Foundation
import LanguageModels

/// A worker's own directory, locked for as long as the value lives: one worker a directory.
package final class DataDirectory: Sendable {
    package let path: String
    /// Random, made with the directory: names this worker towards the coordinator.
    package let worker: String
    private let lock: Int32
    /// Removed with everything in it when the worker ends.
    private let isTemporary: Bool

    /// Makes the directory if needed, locks it and reads or makes the worker's name.
    package convenience init(path: String) throws(WorkerError) {
        try self.init(path: path, isTemporary: false)
    }

    private init(path: String, isTemporary: Bool) throws(WorkerError) {
        guard PrivateFiles.makeDirectory(path) else {
            throw .dataDirectory(path: path, reason: "it cannot be made: \(String(cString: strerror(errno)))")
        }
        PrivateFiles.tighten(path)
        let lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .dataDirectory(path: path, reason: String(cString: strerror(errno))) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw .dataDirectoryInUse(path: path)
        }
        // Those that an earlier release made.
        for name in ["lock", "worker", "shards", "clusters"] { PrivateFiles.tightenTree("\(path)/\(name)") }
        let nameFile = path + "/worker"
        if let bytes = AtomicFile.read(nameFile), let name = String(validating: bytes, as: UTF8.self),
            UUID(uuidString: name) != nil
        {
            worker = name
        } else {
            worker = UUID().uuidString
            do throws(TaskFailure) {
                try AtomicFile.write(Array(worker.utf8), to: nameFile)
            } catch {
                close(lock)
                throw .dataDirectory(path: path, reason: error.message)
            }
        }
        self.path = path
        self.lock = lock
        self.isTemporary = isTemporary
    }

    deinit {
        if isTemporary { try? FileManager.default.removeItem(atPath: path) }
        close(lock)
    }

    /// The place for workers that were given none: the first directory that no other worker uses under
    /// `$XDG_STATE_HOME/lethe/workers/<endpoint>/` (by default `~/.local/state`), so that workers of one machine that
    /// are started again find their shards. Where that cannot be used, a temporary directory that is removed at the end.
    package static func standard(
        endpoint: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(WorkerError) -> DataDirectory {
        if let state = environment["XDG_STATE_HOME"] ?? environment["HOME"].map({ $0 + "/.local/state" }),
            state.hasPrefix("/")
        {
            let name = String(endpoint.map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "_" })
            for slot in 0..<1024 {
                do throws(WorkerError) {
                    return try DataDirectory(path: "\(state)/lethe/workers/\(name)/\(slot)")
                } catch .dataDirectoryInUse {
                    continue
                } catch {
                    break
                }
            }
        }
        let temporary = FileManager.default.temporaryDirectory.path + "/lethe-worker-" + UUID().uuidString
        return try DataDirectory(path: temporary, isTemporary: true)
    }
}
