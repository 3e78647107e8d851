import Crypto
import Files

/// SHA-256 over a list of texts, each preceded by its length in bytes, so that no two lists give the same input.
package enum FieldHash {
    package static func digest(_ fields: [String]) -> SHA256.Digest {
        var hash = SHA256()
        for field in fields {
            var text = field
            text.withUTF8 { bytes in
                withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
                hash.update(bufferPointer: UnsafeRawBufferPointer(bytes))
            }
        }
        return hash.finalize()
    }

    package static func hexadecimal(_ fields: [String]) -> String { digest(fields).hexadecimal }

    /// The digest's first eight bytes, most significant first: evenly spread over all values.
    package static func number(_ fields: [String]) -> UInt64 {
        digest(fields).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
