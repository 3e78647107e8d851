import Crypto
import Files

/// SHA-256 over a list of texts, each preceded by its length in bytes, so that no two lists give the same input.
package enum FieldHash {
    package static func digest(_ fields: [String]) -> SHA256.Digest {
        // Put together first: feeding many small pieces to the hash costs more than hashing them.
        var input: [UInt8] = []
        input.reserveCapacity(fields.reduce(0) { $0 + 8 + $1.utf8.count })
        for field in fields {
            withUnsafeBytes(of: UInt64(field.utf8.count).littleEndian) { input.append(contentsOf: $0) }
            input.append(contentsOf: field.utf8)
        }
        var hash = SHA256()
        input.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }

    package static func hexadecimal(_ fields: [String]) -> String { digest(fields).hexadecimal }

    /// The digest's first eight bytes, most significant first: evenly spread over all values.
    package static func number(_ fields: [String]) -> UInt64 {
        digest(fields).withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }
}
