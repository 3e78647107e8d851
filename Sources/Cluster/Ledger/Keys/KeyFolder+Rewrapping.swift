import Crypto
import Files
import Foundation
import Messages

extension KeyFolder {
    /// Where a new master key can be interrupted.
    package enum RewrapStep: Hashable, Sendable, CaseIterable {
        /// The new file is there, under a name of its own; then: the old one has a second name; then: the new one has its
        /// name; then: what the old one held is noise; then: gone.
        case written, kept, exchanged, overwritten, removed
    }

    /// Seals all keys under another master key. The file takes the place of the one of before, whose keys are overwritten:
    /// killed at any step, the folder opens with exactly one of the two master keys, and the next that opens it overwrites
    /// what is left of the other file.
    ///
    /// - `old`: what they are sealed under; nil: they lie in clear.
    /// - `new`: what they are to be sealed under.
    /// - `interrupt`: throws where the process is to be killed, for tests.
    /// - Returns: how many keys there are.
    /// - Throws: `LedgerError.keyUnusable` for a folder that is missing, damaged or under another master key; `.corrupt` for a
    ///   key that does not open: nothing was changed then; `.inUse`, `.diskFull`, `.storage`.
    package static func rewrap(
        folder: URL, from old: SymmetricKey?, to new: SymmetricKey,
        _ interrupt: (RewrapStep) throws -> Void = { _ in }
    ) throws -> Int {
        let file = folder.appendingPathComponent("slots")
        guard access(file.path, F_OK) == 0 else {
            throw LedgerError.keyUnusable(path: file.path, reason: "there is no file of keys")
        }
        let lock = try LedgerFiles.lock(folder.appendingPathComponent("lock"))
        defer { withExtendedLifetime(lock) {} }
        try settleRewrapping(folder)
        let (fresh, former) = (folder.appendingPathComponent(newName), folder.appendingPathComponent(oldName))
        let slots = try KeySlotFile(file.path)
        let count: Int
        do {
            count = try copy(slots, from: old, to: new, at: fresh.path)
        } catch {
            try? settleRewrapping(folder)
            throw error
        }
        try interrupt(.written)
        guard link(file.path, former.path) == 0 else { throw LedgerError(FileFailure("cannot make", former.path)) }
        try LedgerFiles.synchronise(directory: folder)
        try interrupt(.kept)
        guard rename(fresh.path, file.path) == 0 else { throw LedgerError(FileFailure("cannot make", file.path)) }
        try LedgerFiles.synchronise(directory: folder)
        try interrupt(.exchanged)
        try overwrite(former, interrupt)
        return count
    }

    static let newName = "slots.new"
    static let oldName = "slots.old"

    /// Does the rest where `rewrap` was interrupted: of the two files one has the name, and the other goes.
    static func settleRewrapping(_ folder: URL) throws {
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

    private static func copy(
        _ slots: KeySlotFile, from old: SymmetricKey?, to new: SymmetricKey, at path: String
    ) throws -> Int {
        let page = try slots.page()
        let header = try KeyFolderHeader(page, path: slots.path)
        let before = try header.unlock(cluster: header.cluster, master: old, path: slots.path)
        let next = KeyFolderHeader(cluster: header.cluster, master: new)
        try KeySlotFile.make(path, next)
        let copy = try KeySlotFile(path)
        if let epoch = KeyEpochPlaces(page).epoch { try KeyEpochPlaces([]).write(epoch, to: copy) }
        if slots.capacity > copy.capacity { try copy.grow(by: slots.capacity - copy.capacity) { _ in } }
        let wrapping = next.wrapping(new)
        var count = 0
        for piece in slots.pieces {
            try slots.withSlots(piece) { all in
                let used = piece.filter { !KeySlot.isEmpty(all.slot($0, of: piece)) }
                try copy.write(used) { run, target in
                    for slot in run {
                        let bytes = all.slot(slot, of: piece)
                        guard KeySlot.isSound(bytes, slot: slot),
                            let key = KeySlot.key(bytes, slot: slot, wrapping: before)
                        else {
                            throw LedgerError.corrupt(
                                path: slots.path,
                                reason: "slot \(slot) is damaged; start the coordinator once, which sets "
                                    + "whatever it sealed aside, and try again")
                        }
                        let place = UnsafeMutableRawBufferPointer(rebasing: target[target.indices(of: slot, in: run)])
                        try KeySlot.put(key, id: KeySlot.id(bytes), slot: slot, wrapping: wrapping, into: place)
                        count += 1
                    }
                }
            }
        }
        try copy.sync()
        return count
    }

    /// With noise, and then with zeros: a storage that keeps no blocks of zeros would keep the old ones.
    private static func overwrite(_ file: URL, _ interrupt: (RewrapStep) throws -> Void = { _ in }) throws {
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
