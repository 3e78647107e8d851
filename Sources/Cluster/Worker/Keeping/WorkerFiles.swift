import Files
import Foundation

/// What a worker writes into its directory. Only these files are ever deleted: the directory may be somebody's home.
enum WorkerFiles {
    static let lock = "lock"
    static let worker = "worker"
    static let secret = "secret"
    static let cluster = "cluster"
    static let cleared = "cleared"
    static let shards = "shards"
    /// Generations of the clusters that the worker met: a folder.
    static let clusters = "clusters"

    static let all = [lock, worker, secret, cluster, cleared, shards, clusters]

    /// Deletes everything below `shards`, durably; what a release before kept there in clear is overwritten first.
    ///
    /// - Returns: the names that could not be deleted, sorted.
    /// - Throws: when what is there cannot be said, or the deletion may not last.
    static func deleteShards(in directory: String) throws(TaskFailure) -> [String] {
        let root = "\(directory)/\(shards)"
        guard try isThere(root) else { return [] }
        for name in try names(in: root) {
            // What stays is among the names that are returned.
            _ = try? ShardFolder(path: "\(root)/\(name)").eraseClear()
            try? FileManager.default.removeItem(atPath: "\(root)/\(name)")
        }
        try KeptFile.syncDirectory(root)
        return try names(in: root)
    }

    /// Removes the worker's files, and the directory if nothing else is in it. The lock goes last: its holder calls this.
    static func remove(_ directory: String) {
        _ = try? deleteShards(in: directory)
        rmdir("\(directory)/\(shards)")
        for name in [worker, secret, cluster, cleared] {
            unlink("\(directory)/\(name)\(AtomicFile.temporarySuffix)")
            unlink("\(directory)/\(name)")
        }
        try? FileManager.default.removeItem(atPath: "\(directory)/\(clusters)")
        unlink("\(directory)/\(lock)")
        rmdir(directory)
    }

    /// The name in the directory's `worker` file, if it is one.
    static func worker(in directory: String) -> String? {
        guard let bytes = AtomicFile.contents("\(directory)/\(worker)"),
            let name = String(validating: bytes, as: UTF8.self), UUID(uuidString: name) != nil
        else { return nil }
        return name
    }

    /// What the directory's worker shows its name to be its own by, if it is there.
    static func secret(in directory: String) -> String? {
        guard let bytes = AtomicFile.contents("\(directory)/\(secret)"),
            let text = String(validating: bytes, as: UTF8.self), text.utf8.count == 64
        else { return nil }
        return text
    }

    /// The cluster that the shards are of; nil where none was noted.
    static func cluster(in directory: String) -> String? {
        AtomicFile.contents("\(directory)/\(cluster)").flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The newest modification of the directory, its files, and the shards' folders and files.
    static func lastUse(of directory: String) -> Date {
        let inner = FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? []
        return ([directory] + inner.map { "\(directory)/\($0)" }).compactMap { path in
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            return Date(
                timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
        }.max() ?? .distantPast
    }

    private static func isThere(_ root: String) throws(TaskFailure) -> Bool {
        var status = stat()
        if stat(root, &status) == 0 { return true }
        guard errno == ENOENT else { throw TaskFailure(FileFailure("cannot read", root)) }
        return false
    }

    private static func names(in root: String) throws(TaskFailure) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: root).sorted()
        } catch {
            throw TaskFailure(code: .storage, message: "cannot read \(root): \(FileFailure.reason(of: error))")
        }
    }
}
