import Crypto
import Files
import Foundation

/// HMAC-SHA256 under the tombstone key.
enum Pseudonym {
    static func of(_ parts: [String], _ key: SymmetricKey) -> Data {
        var message = Data()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { message.append(contentsOf: $0) }
            message.append(contentsOf: part.utf8)
        }
        return Data(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }

    /// A tombstone is the pseudonym of a pseudonym: the audit log, which is never deleted, shows the pseudonyms of people
    /// who asked to be forgotten, and must not point at their tombstones.
    static func tombstone(of pseudonym: Data, _ key: SymmetricKey) -> Data {
        of(["tombstone", pseudonym.hexadecimal], key)
    }
}
