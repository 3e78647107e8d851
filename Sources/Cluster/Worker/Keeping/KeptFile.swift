import Files
import Foundation
import Messages

/// `AtomicFile` for a worker: what fails there fails a task.
enum KeptFile {
    /// Bytes that are collected before they are written.
    private static let portion = 1 << 20

    static func write(_ bytes: some ContiguousBytes, to path: String) throws(TaskFailure) {
        try naming { () throws(FileFailure) in try AtomicFile.write(bytes, to: path) }
    }

    /// - `body`: hands over the contents, in order and in parts of any size.
    static func write(
        to path: String, _ body: ((Data) throws(FileFailure) -> Void) throws(FileFailure) -> Void
    ) throws(TaskFailure) {
        try naming { () throws(FileFailure) in
            try AtomicFile.write(to: path) { file throws(FileFailure) in
                var waiting = Data()
                try body { part throws(FileFailure) in
                    waiting.append(part)
                    guard waiting.count >= portion else { return }
                    try file.put(waiting)
                    waiting = Data()
                }
                try file.put(waiting)
            }
        }
    }

    static func remove(_ path: String) throws(TaskFailure) {
        try naming { () throws(FileFailure) in try AtomicFile.remove(path) }
    }

    /// Deletes a file that lies in clear, its bytes overwritten. What cannot be overwritten (a link, a full disk that writes
    /// elsewhere) must not stay for that reason.
    static func erase(_ path: String) throws(TaskFailure) {
        do throws(FileFailure) {
            try AtomicFile.erase(path)
        } catch {
            try remove(path)
        }
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
