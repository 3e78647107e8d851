import Crypto
import Foundation
import Messages

/// How far the audit log went: its last entry at some time, and how much evidence there was. Signed with the key of the
/// certificates; `audit.head` holds the `SignedStatement`'s text.
struct AuditHead: Codable, Hashable {
    static let type = "lethe-audit-head+jwt"

    var cluster: String
    /// Of the last entry; 0 for the empty log.
    var sequence: Int
    /// Of the last entry, in hexadecimal.
    var hash: String
    /// Forget requests acknowledged so far.
    var requests: Int
    /// Of these finished, with a certificate.
    var certificates: Int
    /// When the entry was written; ISO 8601, UTC.
    var time: String

    /// Whether the log ended with this entry.
    func isOf(_ last: AuditEntry?) -> Bool {
        sequence == (last?.sequence ?? 0) && hash == (last?.hash ?? Ledger.noHash)
    }

    /// The next head, after one more entry of the log.
    func advanced(to entry: AuditEntry) -> AuditHead {
        var next = self
        next.sequence = entry.sequence
        next.hash = entry.hash
        next.time = entry.time.iso8601
        if entry.kind == "forget" { next.requests += 1 }
        if entry.kind == "finish" { next.certificates += 1 }
        return next
    }
}

extension SignedStatement {
    /// nil: forged, or no head of this cluster. The signature is not checked without a key.
    func auditHead(cluster: String, publicKey: Data?) -> AuditHead? {
        if let publicKey, !verify(publicKey: publicKey) { return nil }
        guard type == AuditHead.type, let head = try? decoded(AuditHead.self), head.cluster == cluster else {
            return nil
        }
        return head
    }

    init(_ head: AuditHead, signedBy key: Curve25519.Signing.PrivateKey) throws {
        try self.init(head, type: AuditHead.type, signedBy: key)
    }
}
