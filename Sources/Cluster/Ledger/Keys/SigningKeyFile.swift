import Crypto
import Foundation
import GRDB
import Messages

/// The Ed25519 key that signs certificates and the audit log's heads, in a file of its own.
enum SigningKeyFile {
    static let file = "certificate.key"

    /// Reads the key; makes it while nothing is signed yet.
    ///
    /// - Parameter acceptsNew: go on with another key than the one that signed before.
    /// - Throws: `LedgerError.keyUnusable`; `.corrupt` for a file that is no key.
    static func obtain(_ file: URL, _ queue: DatabaseQueue, acceptsNew: Bool) throws -> Curve25519.Signing.PrivateKey {
        let signer = try LedgerFiles.mappingErrors(at: file.path) { try queue.read { try keyID($0) } }
        guard access(file.path, F_OK) == 0 else {
            guard signer == nil || acceptsNew else {
                throw LedgerError.keyUnusable(path: file.path, reason: "the key is missing \(remedy)")
            }
            let key = Curve25519.Signing.PrivateKey()
            try LedgerFiles.writeAtomically(key.rawRepresentation, to: file)
            return key
        }
        let bytes = try LedgerFiles.read(file)
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes) else {
            throw LedgerError.corrupt(path: file.path, reason: "not an Ed25519 key")
        }
        guard signer == nil || signer == SignedStatement.keyID(key.publicKey.rawRepresentation) || acceptsNew else {
            throw LedgerError.keyUnusable(path: file.path, reason: "the key is not the one \(remedy)")
        }
        return key
    }

    private static let remedy =
        "that signed this ledger's certificates and audit log; put the right one back, or start once with "
        + "--accept-new-certificate-key: certificates signed before are then no longer this cluster's"

    /// Names the key of what is signed: of the log's head or, in ledgers of earlier versions, of the last certificate.
    private static func keyID(_ db: Database) throws -> String? {
        if let head = try Meta.auditHead.value(SignedStatement.self, db) { return head.keyID }
        let row = try Row.fetchOne(
            db, sql: "SELECT * FROM forget_requests WHERE certificate IS NOT NULL ORDER BY number DESC LIMIT 1")
        guard let row else { return nil }
        if let closed = try? ClosedRequest(row: row) { return SignedStatement.keyID(closed.certificate.publicKey) }
        let signed: Signed = try row.json("certificate", in: "forget_requests")
        return SignedStatement.keyID(signed.publicKey)
    }

    /// What certificates of all versions have.
    private struct Signed: Decodable { var publicKey: Data }
}
