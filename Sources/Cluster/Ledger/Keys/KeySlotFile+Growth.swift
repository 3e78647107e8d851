import Crypto
import Files
import Foundation
import Messages

extension KeySlotFile {
    /// Adds slots; they are durable and empty when this returns. A failure changes nothing.
    func grow(by slots: Int, _ interrupt: (KeyFolder.Step) throws -> Void) throws {
        let wanted = (max(slots, 1) + Self.step - 1) / Self.step * Self.step
        guard wanted <= KeySlot.limit - capacity else {
            throw LedgerError.storage(path: path, reason: "more keys than a folder can hold")
        }
        let grown = max(capacity + wanted, noted)
        do {
            // What an interrupted growth left behind goes. Zeros that are written take up room, unlike a hole.
            guard ftruncate(descriptor, size(slots: noted)) == 0 else {
                throw LedgerError(FileFailure("cannot write", path))
            }
            try write(Array(capacity..<grown)) { _, buffer in buffer.initializeMemory(as: UInt8.self, repeating: 0) }
            try interrupt(.grown)
            guard fsync(descriptor) == 0 else { throw LedgerError(FileFailure("cannot write", path)) }
            try LedgerFiles.synchronise(directory: URL(fileURLWithPath: path).deletingLastPathComponent())
        } catch {
            _ = ftruncate(descriptor, size(slots: noted))
            throw error
        }
        noted = grown
        for offset in header.layout.counts {
            try write(note: KeySlotCount.bytes(grown), at: offset)
            try sync()
            try interrupt(.noted)
        }
        capacity = grown
    }
}

/// A number of slots as it is noted: 8 bytes and as many of a checksum.
enum KeySlotCount {
    static let size = 16

    static func bytes(_ count: Int) -> [UInt8] {
        let number = withUnsafeBytes(of: UInt64(count).littleEndian) { Array($0) }
        return number + Array(SHA256.hash(data: number).prefix(8))
    }

    /// nil: damaged, or not there.
    static func read(_ page: [UInt8], at offset: Int) -> Int? {
        guard page.count >= offset + size else { return nil }
        let number = (0..<8).reduce(UInt64(0)) { $0 | UInt64(page[offset + $1]) << UInt64(8 * $1) }
        guard number <= UInt64(KeySlot.limit), bytes(Int(number)) == Array(page[offset..<offset + size]) else {
            return nil
        }
        return Int(number)
    }
}
