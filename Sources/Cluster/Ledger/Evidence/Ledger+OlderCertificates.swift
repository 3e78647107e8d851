import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

/// Certificates of before version 3 were signed over the statement's JSON alone, with other keys than it was printed with.
extension Ledger {
    private struct Unwrapped: Decodable {
        var statement: Certificate.Statement
        var signature: Data
        var publicKey: Data
    }

    /// Signs the statements of older certificates again in today's form, each only if this ledger signed it. What is
    /// stated stays what it was, with the version it had.
    func wrapOlderCertificates(at time: Date) throws {
        let older = try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT number, outcome, certificate FROM forget_requests
                    WHERE typeof(certificate) = 'text' AND certificate NOT LIKE '%"jws":%' ORDER BY number
                    """)
        }
        guard !older.isEmpty else { return }
        try commit { db in
            for row in older {
                let old: Unwrapped = try row.json("certificate", in: "forget_requests")
                guard try isOurs(old, db) else { continue }
                let new = try Certificate(statement: old.statement, signedBy: signingKey)
                let closed = ClosedRequest(outcome: try row.json("outcome", in: "forget_requests"), certificate: new)
                try closed.store(inRequest: row.value("number", in: "forget_requests"), db)
            }
            try audit(db, "certificates in a new form", ["certificates": older.count], at: time)
        }
    }

    /// Whether this ledger signed it: with its present key, or with one before, as the audit log knows.
    private func isOurs(_ old: Unwrapped, _ db: Database) throws -> Bool {
        let signed = try JSONEncoder.stable.encode(old.statement)
        if signingKey.publicKey.isValidSignature(old.signature, for: signed) { return true }
        let digest = SHA256.hash(data: signed).hexadecimal
        return try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM audit WHERE kind = 'finish' AND detail LIKE ?)",
            arguments: ["%\"\(digest)\"%"]) ?? false
    }
}
