import Files
import Foundation
import LanguageModels
import Messages

/// A worker's own directory, locked for as long as the value lives: one worker a directory.
package final class DataDirectory: Sendable {
    package let path: String
    /// Made with the directory: names this worker towards the coordinator.
    package let worker: String
    /// Random, made with the directory: shows the coordinator that the name is this worker's.
    package let secret: String
    /// The folder of this directory and its siblings, if it is one of the standard slots.
    let slots: String?
    /// The worker's files are removed when the worker ends.
    let isRemovedAtEnd: Bool
    private let lock: LockFile

    /// Makes the directory if needed, locks it and reads or makes the worker's name.
    package convenience init(path: String, isRemovedAtEnd: Bool = false) throws(WorkerError) {
        try self.init(path: path, slots: nil, isRemovedAtEnd: isRemovedAtEnd)
    }

    private init(path: String, slots: String?, isRemovedAtEnd: Bool) throws(WorkerError) {
        lock = try Self.makeAndLock(path)
        lock.touch()
        PrivateFiles.tighten(path)
        // Those that an earlier release made.
        for name in WorkerFiles.all { PrivateFiles.tightenTree("\(path)/\(name)") }
        if let kept = WorkerFiles.secret(in: path) {
            secret = kept
        } else {
            secret = try Self.keep(WorkerIdentity.makeSecret(), WorkerFiles.secret, in: path)
        }
        if let name = WorkerFiles.worker(in: path) {
            worker = name
        } else {
            worker = try Self.keep(WorkerIdentity.id(secret: secret), WorkerFiles.worker, in: path)
        }
        // Those that an earlier release made are random.
        guard !WorkerIdentity.isMade(fromSecret: worker) || worker == WorkerIdentity.id(secret: secret) else {
            throw .dataDirectory(
                path: path,
                reason:
                    "its files `\(WorkerFiles.worker)` and `\(WorkerFiles.secret)` do not belong together; bring back "
                    + "the right ones, or take an empty directory and have this one's copies declared destroyed")
        }
        self.path = path
        self.slots = slots
        self.isRemovedAtEnd = isRemovedAtEnd
    }

    private static func keep(_ text: String, _ name: String, in path: String) throws(WorkerError) -> String {
        do throws(TaskFailure) {
            try KeptFile.write(Array(text.utf8), to: "\(path)/\(name)")
            return text
        } catch {
            throw .dataDirectory(path: path, reason: error.message)
        }
    }

    deinit {
        if isRemovedAtEnd {
            WorkerFiles.remove(path)
        } else {
            lock.touch()
        }
    }

    /// Made anew where another worker removes the directory at the same time.
    private static func makeAndLock(_ path: String) throws(WorkerError) -> LockFile {
        for _ in 0..<16 {
            guard PrivateFiles.makeDirectory(path) else {
                throw .dataDirectory(path: path, reason: "it cannot be made: \(String(cString: strerror(errno)))")
            }
            do throws(LockFile.Failure) {
                return try LockFile("\(path)/\(WorkerFiles.lock)")
            } catch {
                switch error {
                case .vanished: continue
                case .inUse: throw .dataDirectoryInUse(path: path)
                case .system(let failure): throw .dataDirectory(path: path, reason: failure.reason)
                }
            }
        }
        throw .dataDirectory(path: path, reason: "it is removed again and again")
    }

    /// The place for workers that were given none: a directory that no other worker uses under
    /// `$XDG_STATE_HOME/lethe/workers/<endpoint>/` (by default `~/.local/state`), so that workers of one machine that
    /// are started again find their shards. A slot that cannot be used is passed over, and the next number is taken. Only where
    /// the folder of the slots itself cannot be made or takes no slot it is a temporary directory, which is removed at the end.
    ///
    /// - `endpoints`: where the coordinator may be. What a worker left under any of them, or under another spelling of this
    ///   machine, comes before a new place under the first: they all lead to one cluster.
    /// - `warn`: told of what cannot be used, and why: what lies there stays unconfirmed until somebody sees to it.
    package static func standard(
        endpoints: [String], isRemovedAtEnd: Bool = false,
        environment: [String: String] = ProcessInfo.processInfo.environment, warn: (String) -> Void = { _ in }
    ) throws(WorkerError) -> DataDirectory {
        var passedOver: Set<String> = []
        /// nil: it cannot be used.
        func slot(_ number: Int, in folder: String) -> DataDirectory? {
            let path = "\(folder)/\(number)"
            guard !passedOver.contains(path) else { return nil }
            do throws(WorkerError) {
                return try DataDirectory(path: path, slots: folder, isRemovedAtEnd: isRemovedAtEnd)
            } catch .dataDirectoryInUse {
                return nil
            } catch {
                passedOver.insert(path)
                warn("\(error); going on with the next one")
                return nil
            }
        }
        var reason = "neither XDG_STATE_HOME nor HOME names a directory for state"
        if let workers = workersFolder(environment) {
            let folders = places(of: endpoints).map { "\(workers)/\($0)" }
            for folder in folders {
                for number in slotNumbers(in: folder) {
                    if let left = slot(number, in: folder) { return left }
                }
            }
            reason = "none of the \(mostSlots) directories in \(folders[0]) is free"
            for number in 0..<mostSlots {
                let path = "\(folders[0])/\(number)"
                // With all folders above it.
                guard PrivateFiles.makeDirectory(path) else {
                    reason = "\(path) cannot be made: \(String(cString: strerror(errno)))"
                    break
                }
                if let new = slot(number, in: folders[0]) { return new }
            }
        }
        warn("\(reason); this worker keeps its shards in a temporary directory, which is removed when it ends")
        let name = "\(temporaryPrefix)\(folderName(of: endpoints[0]))-\(UUID().uuidString)"
        return try DataDirectory(
            path: "\(temporaryFolder(environment))/\(name)", slots: nil, isRemovedAtEnd: true)
    }

    private static let mostSlots = 1024

    /// Where the standard slots are, by endpoint; nil: there is no place for state.
    private static func workersFolder(_ environment: [String: String]) -> String? {
        let state = environment.variable("XDG_STATE_HOME") ?? environment.variable("HOME").map { $0 + "/.local/state" }
        return state.flatMap { $0.hasPrefix("/") ? "\($0)/lethe/workers" : nil }
    }

    /// Names of the folders that endpoints have, each once, in their order.
    private static func places(of endpoints: [String]) -> [String] {
        var names: [String] = []
        for endpoint in endpoints + endpoints.flatMap(otherSpellings) {
            let name = folderName(of: endpoint)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// Of this machine's own address.
    private static func otherSpellings(of endpoint: String) -> [String] {
        [("://localhost:", "://127.0.0.1:"), ("://127.0.0.1:", "://localhost:")].compactMap { known, other in
            endpoint.contains(known) ? endpoint.replacing(known, with: other) : nil
        }
    }

    /// Of the slots in a folder, rising.
    static func slotNumbers(in folder: String) -> [Int] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { name in
            Int(name).flatMap { $0 >= 0 && String($0) == name ? $0 : nil }
        }.sorted()
    }

    static let temporaryPrefix = "lethe-worker-"

    /// Where directories are made that end with their workers.
    static func temporaryFolder(_ environment: [String: String]) -> String {
        environment.variable("TMPDIR") ?? FileManager.default.temporaryDirectory.path
    }

    /// The endpoint as a file's name: without separators, and without the hyphens that other parts of names begin with.
    static func folderName(of endpoint: String) -> String {
        String(endpoint.map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "_" })
    }
}
