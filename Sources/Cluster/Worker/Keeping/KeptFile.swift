import Files
import Messages

/// `AtomicFile` for a worker: what fails there fails a task.
enum KeptFile {
    static func write(_ bytes: [UInt8], to path: String) throws(TaskFailure) {
        try naming { () throws(FileFailure) in try AtomicFile.write(bytes, to: path) }
    }

    static func remove(_ path: String) throws(TaskFailure) {
        try naming { () throws(FileFailure) in try AtomicFile.remove(path) }
    }

    static func syncDirectory(_ path: String) throws(TaskFailure) {
        try naming { () throws(FileFailure) in try AtomicFile.syncDirectory(path) }
    }

    private static func naming(_ work: () throws(FileFailure) -> Void) throws(TaskFailure) {
        do throws(FileFailure) {
            try work()
        } catch {
            throw TaskFailure(error)
        }
    }
}

extension TaskFailure {
    /// The code is `disk-full` where that is the reason, else `storage`.
    init(_ failure: FileFailure) {
        self.init(code: failure.isFull ? .diskFull : .storage, message: failure.description)
    }
}
