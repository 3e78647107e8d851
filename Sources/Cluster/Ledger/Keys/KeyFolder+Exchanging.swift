import Files
import Foundation
import Messages

/// The file of slots gives way to another one with the same keys in the same slots: under another master key, or laid out otherwise.
///
/// Killed at any step, the folder opens with exactly one of the two, and whoever opens it next overwrites what is left of the other.
extension KeyFolder {
    /// Where it can be interrupted.
    package enum ExchangeStep: Hashable, Sendable, CaseIterable {
        /// The new file is there, under a name of its own; then: the old one has a second name; then: the new one has its
        /// name; then: what the old one held is noise; then: gone.
        case written, kept, exchanged, overwritten, removed
    }

    static let newName = "slots.new"
    static let oldName = "slots.old"

    /// - `make`: writes a file at this path, durable when it returns, and says how many keys there are.
    /// - `interrupt`: throws where the process is to be killed, for tests.
    static func exchange(
        _ folder: URL, _ interrupt: (ExchangeStep) throws -> Void, making make: (KeySlotFile, String) throws -> Int
    ) throws -> Int {
        let file = folder.appendingPathComponent("slots")
        let (fresh, former) = (folder.appendingPathComponent(newName), folder.appendingPathComponent(oldName))
        let slots = try KeySlotFile(file.path)
        let count: Int
        do {
            count = try make(slots, fresh.path)
        } catch {
            try? settleExchange(folder)
            throw error
        }
        /// The new file would stay as a second copy of all keys, until the next start.
        func settled(_ failure: FileFailure) -> LedgerError {
            try? settleExchange(folder)
            return LedgerError(failure)
        }
        try interrupt(.written)
        guard link(file.path, former.path) == 0 else { throw settled(FileFailure("cannot make", former.path)) }
        try LedgerFiles.synchronise(directory: folder)
        try interrupt(.kept)
        guard rename(fresh.path, file.path) == 0 else { throw settled(FileFailure("cannot make", file.path)) }
        try LedgerFiles.synchronise(directory: folder)
        try interrupt(.exchanged)
        try overwrite(former, interrupt)
        return count
    }

    /// Does the rest where `exchange` was interrupted: of the two files one has the name, and the other goes.
    static func settleExchange(_ folder: URL) throws {
        let file = folder.appendingPathComponent("slots")
        for name in [newName, oldName] {
            let other = folder.appendingPathComponent(name)
            var (status, present) = (stat(), stat())
            guard lstat(other.path, &status) == 0 else { continue }
            guard lstat(file.path, &present) == 0 else {
                throw LedgerError.keyUnusable(
                    path: file.path, reason: "the file of keys is missing, and \(name) lies there. \(KeyFolderLoss.all)"
                )
            }
            if status.st_ino == present.st_ino, status.st_dev == present.st_dev {
                // The second name of the file that is in force.
                guard unlink(other.path) == 0 else { throw LedgerError(FileFailure("cannot delete", other.path)) }
                try LedgerFiles.synchronise(directory: folder)
            } else {
                try overwrite(other)
            }
        }
    }

    /// A file of empty slots with the epoch of this one and as many slots.
    static func emptyCopy(of slots: KeySlotFile, _ header: KeyFolderHeader, at path: String) throws -> KeySlotFile {
        try KeySlotFile.make(path, header)
        let copy = try KeySlotFile(path)
        if let epoch = try KeyEpochPlaces(slots).epoch { try KeyEpochPlaces().write(epoch, to: copy) }
        if slots.capacity > copy.capacity { try copy.grow(by: slots.capacity - copy.capacity) { _ in } }
        return copy
    }

    /// With noise, and then with zeros: a storage that keeps no blocks of zeros would keep the old ones.
    private static func overwrite(_ file: URL, _ interrupt: (ExchangeStep) throws -> Void = { _ in }) throws {
        let descriptor = Foundation.open(file.path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw LedgerError(FileFailure("cannot open", file.path)) }
        defer { _ = Foundation.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw LedgerError(FileFailure("cannot examine", file.path)) }
        var noise = SlotNoise()
        var position = 0
        let piece = 1 << 16
        while position < Int(status.st_size) {
            let written = withUnsafeTemporaryAllocation(byteCount: piece, alignment: 8) { bytes in
                noise.fill(bytes)
                return pwrite(
                    descriptor, bytes.baseAddress, min(piece, Int(status.st_size) - position), off_t(position))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw LedgerError(FileFailure("cannot overwrite", file.path)) }
            position += written
        }
        guard fsync(descriptor) == 0 else { throw LedgerError(FileFailure("cannot overwrite", file.path)) }
        try interrupt(.overwritten)
        try LedgerFiles.erase(file)
        try interrupt(.removed)
    }
}
