import Crypto
import Foundation

/// What the bytes of one slot mean: id (8), payload (48), checksum (8), numbers with the least significant byte first.
///
/// The payload is the key and 16 zeros or, under a master key, the key sealed and its tag. The checksum covers the slot's
/// number, too: a torn slot, or one that was copied to another place, is noticed. A slot of zeros is empty.
enum KeySlot {
    static let size = 64
    /// A number of a slot is part of a nonce, in four bytes.
    static let limit = Int(UInt32.max)
    private static let keySize = 32
    private static let payload = 8..<56

    static func isEmpty(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var all: UInt64 = 0
        for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
            all |= bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        return all == 0
    }

    static func id(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
    }

    static func isSound(_ bytes: UnsafeRawBufferPointer, slot: Int) -> Bool {
        id(bytes) != 0
            && checksum(bytes, slot: slot) == bytes.loadUnaligned(fromByteOffset: payload.upperBound, as: UInt64.self)
    }

    /// - Parameters:
    ///   - wrapping: what the key is sealed with; nil: it lies there in clear.
    ///   - bytes: the slot's.
    static func put(
        _ key: SymmetricKey, id: Int64, slot: Int, wrapping: SymmetricKey?, into bytes: UnsafeMutableRawBufferPointer
    ) throws {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.storeBytes(of: id.littleEndian, as: Int64.self)
        let target = UnsafeMutableRawBufferPointer(rebasing: bytes[payload])
        if let wrapping {
            let place = Place(id: id, slot: slot)
            let box = try key.withUnsafeBytes {
                try AES.GCM.seal($0, using: wrapping, nonce: place.nonce, authenticating: place.context)
            }
            target.copyBytes(from: box.ciphertext + box.tag)
        } else {
            key.withUnsafeBytes { target.copyBytes(from: $0.prefix(keySize)) }
        }
        bytes.storeBytes(
            of: checksum(UnsafeRawBufferPointer(bytes), slot: slot), toByteOffset: payload.upperBound, as: UInt64.self)
    }

    /// The key of a sound slot; nil when it does not open with the wrapping key.
    static func key(_ bytes: UnsafeRawBufferPointer, slot: Int, wrapping: SymmetricKey?) -> SymmetricKey? {
        let payload = UnsafeRawBufferPointer(rebasing: bytes[payload])
        let stored = UnsafeRawBufferPointer(rebasing: payload[..<keySize])
        guard let wrapping else { return SymmetricKey(data: stored) }
        let place = Place(id: id(bytes), slot: slot)
        guard let nonce = try? place.nonce,
            let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: stored, tag: payload[keySize...]),
            let key = try? AES.GCM.open(box, using: wrapping, authenticating: place.context)
        else { return nil }
        return SymmetricKey(data: key)
    }

    /// Kept as it lies in the slot: only equality counts.
    private static func checksum(_ bytes: UnsafeRawBufferPointer, slot: Int) -> UInt64 {
        var hash = SHA256()
        withUnsafeBytes(of: UInt64(slot).littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[..<payload.upperBound]))
        return hash.finalize().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    /// Where a key lies. Under one wrapping key no id is used twice, so no nonce is.
    private struct Place {
        var id: Int64
        var slot: Int

        var context: Data {
            withUnsafeBytes(of: id.littleEndian) { Data($0) }
                + withUnsafeBytes(of: UInt32(truncatingIfNeeded: slot).littleEndian) { Data($0) }
        }

        var nonce: AES.GCM.Nonce { get throws { try AES.GCM.Nonce(data: context) } }
    }
}
