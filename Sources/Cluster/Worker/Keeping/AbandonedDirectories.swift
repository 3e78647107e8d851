import Files
import Foundation

/// Finds and clears what workers of the same user and endpoint left behind on this machine: slots beside this worker's that
/// nobody opens again, also those that workers of its cluster had under another address, and temporary directories of workers
/// that were killed.
///
/// Who clears a directory holds its lock. The shards go first, durably; then the note that says so is written, in the
/// directory itself and in this worker's; the directory goes last. A process that dies in between leaves either a directory
/// that is still to be cleared or a note that is still to be said, and a worker that takes the slot makes itself a new name.
struct AbandonedDirectories: Sendable {
    /// A slot that was found free, and the newest modification in it then.
    private struct Sighting: Sendable {
        var since: Double
        var lastUse: Date
    }

    private let own: String
    /// The folder with the slots, if this worker has one of them.
    private let slots: String?
    private let temporaryFolder: String
    private let endpoint: String
    private let age: Double
    private var free: [String: Sighting] = [:]

    init(beside directory: DataDirectory, endpoint: String, temporaryFolder: String, age: Duration) {
        own = directory.path
        slots = directory.slots
        self.temporaryFolder = temporaryFolder
        self.endpoint = DataDirectory.folderName(of: endpoint)
        self.age = age / .seconds(1)
    }

    /// Clears what is abandoned, and reads what was cleared before but not yet said.
    ///
    /// - Parameter now: seconds of a monotonic clock.
    mutating func clear(at now: Double, log: (String) -> Void) -> [ClearedNote] {
        for path in temporaryDirectories() + abandonedSlots(at: now) where path != own {
            do throws(TaskFailure) {
                if try clear(path) { log("deleted \(path), which a worker had left") }
            } catch {
                log("cannot delete \(path), which a worker left: \(error.message)")
            }
        }
        return ClearedNotesFile.read(in: own)
    }

    private func clear(_ path: String) throws(TaskFailure) -> Bool {
        guard let lock = try? LockFile("\(path)/\(WorkerFiles.lock)", makesFile: false) else { return false }
        defer { withExtendedLifetime(lock) {} }
        guard try WorkerFiles.deleteShards(in: path).isEmpty else {
            throw TaskFailure(code: .storage, message: "some of its shards stay")
        }
        if let worker = WorkerFiles.worker(in: path) {
            let note = ClearedNote(
                worker: worker, cluster: WorkerFiles.cluster(in: path), secret: WorkerFiles.secret(in: path))
            try ClearedNotesFile.add([note], in: path)
            try KeptFile.remove("\(path)/\(WorkerFiles.worker)")
            // The name is made of it: whoever takes the slot would have the same one.
            try KeptFile.remove("\(path)/\(WorkerFiles.secret)")
            try KeptFile.syncDirectory(path)
        }
        try ClearedNotesFile.add(ClearedNotesFile.read(in: path), in: own)
        WorkerFiles.remove(path)
        return true
    }

    /// Slots that were free at every look for as long as `age`, and unused for longer.
    private mutating func abandonedSlots(at now: Double) -> [String] {
        guard let slots else { return [] }
        var seen: [String: Sighting] = [:]
        var found: [String] = []
        for path in Self.slots(in: slots) + slotsOfOwnCluster(besides: slots) where path != own {
            // Taken for this moment only: a worker that starts meanwhile takes another slot.
            guard let lock = try? LockFile("\(path)/\(WorkerFiles.lock)", makesFile: false) else { continue }
            withExtendedLifetime(lock) {}
            let lastUse = WorkerFiles.lastUse(of: path)
            let sighting = free[path].flatMap { $0.lastUse == lastUse ? $0 : nil }
            seen[path] = sighting ?? Sighting(since: now, lastUse: lastUse)
            if let sighting, now - sighting.since >= age, Date().timeIntervalSince(lastUse) >= age {
                found.append(path)
            }
        }
        free = seen
        return found
    }

    /// Of a cluster whose address was spelled otherwise or has changed. Of others nothing is known: their workers may be started
    /// again any time.
    private func slotsOfOwnCluster(besides slots: String) -> [String] {
        guard let cluster = WorkerFiles.cluster(in: own) else { return [] }
        let workers = (slots as NSString).deletingLastPathComponent
        return Self.names(in: workers).map { "\(workers)/\($0)" }.filter { $0 != slots }
            .flatMap(Self.slots).filter { WorkerFiles.cluster(in: $0) == cluster }
    }

    private static func slots(in folder: String) -> [String] {
        DataDirectory.slotNumbers(in: folder).map { "\(folder)/\($0)" }
    }

    /// Of this user and endpoint, or of a release that did not name the endpoint.
    private func temporaryDirectories() -> [String] {
        Self.names(in: temporaryFolder).filter { name in
            guard name.hasPrefix(DataDirectory.temporaryPrefix), UUID(uuidString: String(name.suffix(36))) != nil
            else { return false }
            let middle = name.dropFirst(DataDirectory.temporaryPrefix.count).dropLast(36)
            return middle == "\(endpoint)-" || middle.isEmpty
        }.map { "\(temporaryFolder)/\($0)" }.filter { path in
            var status = stat()
            return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
                && [WorkerFiles.worker, WorkerFiles.cleared].contains {
                    FileManager.default.fileExists(atPath: "\(path)/\($0)")
                }
        }
    }

    private static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
