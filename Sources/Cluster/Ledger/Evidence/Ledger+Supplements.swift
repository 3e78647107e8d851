import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Oldest first; empty when nothing became known since the certificate was signed, or there is no such request.
    package func supplements(request id: String) throws -> [Supplement] {
        try read { try Supplement.all(ofRequest: id, $0, at: database.path) }
    }

    /// Copies that may hold what the request forgot and are not confirmed gone, as of now.
    package func unconfirmedCopies(request id: String) throws -> [UnconfirmedCopy] {
        try read { db in
            guard
                let number = try Int64.fetchOne(
                    db, sql: "SELECT number FROM forget_requests WHERE id = ?", arguments: [id])
            else { throw LedgerError.unknownRequest(id: id) }
            return try UnconfirmedCopy.all(ofRequest: number, db)
        }
    }

    /// Signs a supplement to the request's certificate; a request that has none yet needs none.
    func supplement(
        request number: Int64, auditHead: String, at time: Date, _ db: Database,
        _ finding: ([Supplement.Copy]) -> Supplement.Finding
    ) throws {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT * FROM forget_requests WHERE number = ? AND certificate IS NOT NULL",
                arguments: [number]),
            let certificate = try ClosedRequest(row: row)?.certificate
        else { return }
        let table = "forget_copies"
        let copies = try Row.fetchAll(
            db,
            sql: """
                SELECT worker, name, shard, manifest, state, time FROM forget_copies WHERE request = ?
                ORDER BY worker, shard, manifest
                """, arguments: [number]
        ).map { row in
            Supplement.Copy(
                worker: try row.value("worker", in: table), name: try row.value("name", in: table),
                shard: try row.value("shard", in: table), manifest: try row.value("manifest", in: table),
                state: try row.value("state", in: table), since: try row.date("time", in: table).iso8601)
        }
        let supplement = try Supplement(
            statement: Supplement.Statement(
                version: Supplement.Statement.currentVersion, cluster: cluster,
                request: row.value("id", in: "forget_requests"),
                certificate: certificate.jws.digest, time: time.stored.iso8601, finding: finding(copies),
                auditHead: auditHead),
            signedBy: signingKey)
        try db.execute(
            sql: "INSERT INTO supplements (request, statement) VALUES (?, ?)",
            arguments: [number, supplement.stored])
    }
}

extension Supplement {
    /// Of a forget request, oldest first.
    ///
    /// - Parameter path: of the database, for errors.
    static func all(ofRequest id: String, _ db: Database, at path: String) throws -> [Supplement] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT statement FROM supplements
                WHERE request = (SELECT number FROM forget_requests WHERE id = ?) ORDER BY number
                """, arguments: [id]
        ).map { row in
            let packed = try row.packedBytes("statement", in: "supplements", of: "request \(id)")
            let jws =
                if let packed {
                    SignedStatement(lines: packed)
                } else {
                    SignedStatement(compact: try row.value("statement", in: "supplements"))
                }
            guard let jws else {
                throw LedgerError.corrupt(path: path, reason: "a supplement of request \(id) is no signed statement")
            }
            return try Supplement(jws: jws)
        }
    }

    /// Packed (`SignedStatement.lines`), or the JWS where it cannot be.
    fileprivate var stored: DatabaseValue {
        jws.lines.flatMap(PackedText.pack)?.databaseValue ?? jws.compact.databaseValue
    }
}
