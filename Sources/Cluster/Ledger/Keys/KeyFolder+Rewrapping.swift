import Crypto
import Files
import Foundation
import Messages

extension KeyFolder {
    /// Names in the folder: of the file that is being made, and of the one that was replaced.
    private static let (next, previous) = ("slots.next", "slots.previous")

    /// Seals all keys under another master key, or under none. The keys themselves stay: whoever has a copy of the old
    /// file, and the old master key, can still open it.
    ///
    /// The new file takes the old one's place whole; then the old one is overwritten and removed. A kill leaves one of
    /// them, and the next start clears the other away.
    ///
    /// - Throws: `LedgerError.diskFull`, `.storage`, `.replaced`. The next start tells under which master key they are.
    package func rewrap(master: SymmetricKey?) throws {
        let file = try writable()
        let old = try KeyFolderHeader(file.page(), path: file.path)
        let header = KeyFolderHeader(cluster: old.cluster, master: master)
        let next = folder.appendingPathComponent(Self.next).path
        do {
            try copy(file, to: next, header, header.wrapping(master))
            try interrupt?(.rewrapped)
            guard link(file.path, folder.appendingPathComponent(Self.previous).path) == 0 else {
                throw LedgerError(FileFailure("cannot link", file.path))
            }
            try LedgerFiles.synchronise(directory: folder)
            try interrupt?(.linked)
            guard rename(next, file.path) == 0 else { throw LedgerError(FileFailure("cannot replace", file.path)) }
        } catch {
            try? removeLeftovers()
            throw error
        }
        // From here on the new file is the one that counts, whatever fails.
        slots = nil
        wrapping = header.wrapping(master)
        slots = try KeySlotFile(file.path)
        try LedgerFiles.synchronise(directory: folder)
        try interrupt?(.exchanged)
        try removeLeftovers()
    }

    /// A file in which every key lies in its old slot, sealed otherwise; durable. What is damaged stays so.
    private func copy(
        _ file: KeySlotFile, to path: String, _ header: KeyFolderHeader, _ newWrapping: SymmetricKey?
    ) throws {
        try KeySlotFile.make(path, header)
        let copy = try KeySlotFile(path)
        if file.capacity > copy.capacity { try copy.grow(by: file.capacity - copy.capacity) { _ in } }
        try file.forEachUsed(of: file.pieces) { slot, bytes in
            let key = KeySlot.isSound(bytes, slot: slot) ? KeySlot.key(bytes, slot: slot, wrapping: wrapping) : nil
            try copy.write([slot]) { _, target in
                guard let key else { return target.copyMemory(from: bytes) }
                try KeySlot.put(key, id: KeySlot.id(bytes), slot: slot, wrapping: newWrapping, into: target)
            }
        }
        try copy.sync()
    }

    /// Overwrites and removes what a change of the master key left behind.
    func removeLeftovers() throws {
        let slots = folder.appendingPathComponent("slots").path
        for name in [Self.next, Self.next + AtomicFile.temporarySuffix, Self.previous] {
            let path = folder.appendingPathComponent(name).path
            var (found, current) = (stat(), stat())
            guard lstat(path, &found) == 0 else { continue }
            // Killed before the exchange, this is a second name of the file that counts.
            let isCurrent = lstat(slots, &current) == 0 && found.st_ino == current.st_ino
            if !isCurrent { try KeySlotFile.shred(path) }
            guard unlink(path) == 0 else { throw LedgerError(FileFailure("cannot delete", path)) }
            try LedgerFiles.synchronise(directory: folder)
        }
    }
}

extension KeySlotFile {
    /// Overwrites a whole file in place.
    static func shred(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw LedgerError(FileFailure("cannot open", path)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw LedgerError(FileFailure("cannot examine", path)) }
        var (noise, rest) = (SlotNoise(), status.st_size)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while rest > 0 {
            let count = buffer.withUnsafeMutableBytes { bytes in
                noise.fill(bytes)
                return Foundation.write(descriptor, bytes.baseAddress, min(bytes.count, rest))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw LedgerError(FileFailure("cannot write", path)) }
            rest -= count
        }
        guard fsync(descriptor) == 0 else { throw LedgerError(FileFailure("cannot write", path)) }
    }
}
