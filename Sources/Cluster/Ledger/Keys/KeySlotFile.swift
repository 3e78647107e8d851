import Files
import Foundation
import Messages

/// The file of slots: reads and overwrites them in place, and grows.
///
/// How many slots it has is noted before them once they are durable: a file that was cut is noticed, and the rest of
/// a growth that was interrupted is not mistaken for slots.
final class KeySlotFile {
    /// Slots that the file grows by, at least.
    static let step = 4096
    /// Slots that are read or written at once, at most: a megabyte.
    static let piece = 16_384

    let path: String
    let header: KeyFolderHeader
    /// Slots.
    var capacity: Int
    /// Slots that the notes may speak of already, after a growth that failed: the file does not get shorter.
    var noted: Int
    let descriptor: Int32
    private(set) var syncs = 0
    private let (device, inode): (dev_t, ino_t)

    /// Makes the file with its first slots; durable when it returns.
    static func make(_ path: String, _ header: KeyFolderHeader, slots: Int = step) throws {
        var bytes = try header.bytes()
        bytes += [UInt8](repeating: 0, count: header.layout.slots - bytes.count + slots * KeySlot.size)
        for offset in header.layout.counts {
            bytes.replaceSubrange(offset..<offset + KeySlotCount.size, with: KeySlotCount.bytes(slots))
        }
        try LedgerFiles.writeAtomically(bytes, to: URL(fileURLWithPath: path))
    }

    /// - Throws: `LedgerError.keyUnusable` for a file that is missing, cut or damaged.
    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw LedgerError(FileFailure("cannot open", path)) }
            throw LedgerError.keyUnusable(path: path, reason: "the file of keys is missing. \(KeyFolderLoss.all)")
        }
        // What a failed sync left in memory is not what lies on the disk.
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw LedgerError(FileFailure("cannot examine", path)) }
        (device, inode) = (status.st_dev, status.st_ino)
        (capacity, noted) = (0, 0)
        do {
            header = try KeyFolderHeader(Self.firstPage(descriptor, path), path: path)
        } catch {
            close(descriptor)
            throw error
        }
        let notes = try header.layout.counts.compactMap {
            KeySlotCount.read(try note(at: $0, KeySlotCount.size), at: 0)
        }
        guard let slots = notes.max() else {
            throw LedgerError.keyUnusable(
                path: path, reason: "the beginning of the file of keys is damaged. \(KeyFolderLoss.all)")
        }
        guard status.st_size >= size(slots: slots) else {
            let whole = max(0, (status.st_size - header.layout.slots) / KeySlot.size)
            throw LedgerError.keyUnusable(
                path: path,
                reason: "the file of keys was cut: \(whole) of its \(slots) slots are there. \(KeyFolderLoss.all)")
        }
        (capacity, noted) = (slots, slots)
    }

    deinit { close(descriptor) }

    /// - Throws: `LedgerError.replaced` when the path does not lead to this file any more: what is destroyed in a file
    ///   without a name would still lie in the one that took its place.
    func requireSame() throws {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else {
            throw LedgerError.replaced(path: path)
        }
    }

    /// Hands out the bytes of neighbouring slots and wipes them from memory afterwards.
    func withSlots<Result>(_ slots: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        try withWipedBytes(slots.count * KeySlot.size) { buffer in
            let count: Int
            do throws(FileFailure) {
                count = try Self.read(descriptor, path, buffer, at: size(slots: slots.lowerBound))
            } catch {
                throw LedgerError(error)
            }
            guard count == buffer.count else {
                throw LedgerError.keyUnusable(
                    path: path, reason: "the file of keys was cut while it was open. \(KeyFolderLoss.all)")
            }
            return try body(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Every slot of these runs that is not empty, with its bytes.
    func forEachUsed(of runs: [Range<Int>], _ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
        for run in runs {
            try withSlots(run) { all in
                for slot in run {
                    let bytes = all.slot(slot, of: run)
                    if !KeySlot.isEmpty(bytes) { try body(slot, bytes) }
                }
            }
        }
    }

    /// Writes slots, neighbours at once. Not durable before `sync`.
    ///
    /// - Parameters:
    ///   - slots: ascending.
    ///   - fill: writes the bytes of these neighbours.
    func write(_ slots: [Int], _ fill: (Range<Int>, UnsafeMutableRawBufferPointer) throws -> Void) throws {
        for run in Self.runs(slots) {
            try withWipedBytes(run.count * KeySlot.size) { buffer in
                try fill(run, buffer)
                try write(UnsafeRawBufferPointer(buffer), at: size(slots: run.lowerBound))
            }
        }
    }

    /// What was written is on the disk when this returns.
    func sync() throws {
        syncs += 1
        guard fdatasync(descriptor) == 0 else { throw LedgerError(FileFailure("cannot write", path)) }
    }

    /// Neighbours together.
    ///
    /// - Parameter slots: ascending, each once.
    static func runs(_ slots: [Int]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for slot in slots {
            if let last = runs.last, last.upperBound == slot, last.count < piece {
                runs[runs.count - 1] = last.lowerBound..<slot + 1
            } else {
                runs.append(slot..<slot + 1)
            }
        }
        return runs
    }

    /// All slots, in pieces.
    var pieces: [Range<Int>] {
        stride(from: 0, to: capacity, by: Self.piece).map { $0..<min($0 + Self.piece, capacity) }
    }

    /// Of a file with so many slots, in bytes; where the slot after them begins.
    func size(slots: Int) -> Int { header.layout.slots + slots * KeySlot.size }

    /// Writes what stands in one of two places, and zeros around it: a page that the disk does not read any more, as after a write
    /// that was cut short, need not be read to be written to, and can be read again.
    func write(note: [UInt8], at offset: Int) throws {
        let whole = note + [UInt8](repeating: 0, count: max(0, header.layout.room - note.count))
        try whole.withUnsafeBytes { try write($0, at: offset) }
    }

    func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw LedgerError(FileFailure("cannot write", path)) }
            done += count
        }
    }
}
