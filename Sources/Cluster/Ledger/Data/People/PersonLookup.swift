import Crypto
import Foundation

/// By what a person's record is found: the first 16 bytes of a keyed hash of the identifier.
///
/// The key is not in the database. Whoever has the database alone cannot tell from it whether somebody is there.
struct PersonLookup: Hashable, Comparable, Codable, Sendable {
    static let size = 16

    /// Of the bytes, the first eight and the last eight, most significant first: their order is that of the bytes.
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// nil: not 16 bytes.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// - Parameter name: as identifiers are written today (`Identifier.canonical`).
    init(of name: String, key: SymmetricKey) {
        let code = HMAC<SHA256>.authenticationCode(for: Data(name.utf8), using: key)
        self = code.withUnsafeBytes { bytes in
            PersonLookup(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    /// The one after it; nil: it is the last.
    var next: PersonLookup? {
        if low < .max { return PersonLookup(high: high, low: low + 1) }
        return high < .max ? PersonLookup(high: high + 1, low: 0) : nil
    }

    var bytes: Data {
        var bytes = Data(capacity: Self.size)
        for number in [high, low] { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        return bytes
    }

    static func < (left: PersonLookup, right: PersonLookup) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}
