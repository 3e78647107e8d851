import Crypto
import Foundation

/// Bytes that are noise without their key: AES-256-GCM with a random nonce; laid out as nonce, ciphertext and tag.
///
/// What a box belongs to is authenticated with it as its context: one that was moved to another place does not open.
public enum SealedBytes {
    public enum Failure: Error, Equatable, Sendable {
        /// Another key, another context, or changed bytes.
        case notOpened
    }

    /// Bytes that sealing adds.
    public static let overhead = 28

    public static func seal(_ bytes: some DataProtocol, key: SymmetricKey, context: String) throws(Failure) -> Data {
        let box = try? AES.GCM.seal(bytes, using: key, nonce: AES.GCM.Nonce(), authenticating: Data(context.utf8))
        guard let combined = box?.combined else { throw .notOpened }
        return combined
    }

    public static func open(_ sealed: some DataProtocol, key: SymmetricKey, context: String) throws(Failure) -> [UInt8]
    {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: key, authenticating: Data(context.utf8))
        else { throw .notOpened }
        return Array(bytes)
    }
}

extension SymmetricKey {
    /// A key for one purpose, which says nothing about this one or about those for others (HKDF-SHA256, RFC 5869).
    public func derived(for purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: self, info: Data(purpose.utf8), outputByteCount: SymmetricKeySize.bits256.bitCount / 8)
    }

    /// Of 32 bytes that came over the wire or from a file.
    public init(raw bytes: [UInt8]) { self.init(data: bytes) }

    public var rawBytes: [UInt8] { withUnsafeBytes { Array($0) } }
}
