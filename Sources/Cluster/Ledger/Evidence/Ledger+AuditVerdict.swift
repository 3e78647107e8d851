import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Whether every entry from the first on is there, unchanged and chained; whether the log ends where the signed head in
    /// the database says and holds the entry that `audit.head` names; whether requests and certificates are those of
    /// the log; and whether the log itself says that it was changed from outside.
    ///
    /// Who has the certificate key, the database and the file can still forge all of it: a copy of `audit.head`, or a
    /// certificate, in other hands is what shows that.
    package func auditVerdict() throws -> AuditVerdict {
        let file = try AuditHeadFile(headFile, cluster: cluster, publicKey: publicKey)
        return try read { db in
            var reading = AuditReading()
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM audit ORDER BY sequence")
            while let row = try rows.next() {
                if let finding = try reading.take(row) {
                    return AuditVerdict(entries: reading.entries, finding: finding)
                }
            }
            let finding =
                try openFinding(db) ?? endFinding(reading, db) ?? fileFinding(file, reading, db)
                ?? requestFinding(reading, db)
            return AuditVerdict(entries: reading.entries, finding: finding)
        }
    }

    private func endFinding(_ log: AuditReading, _ db: Database) throws -> String? {
        let signed = try Meta.auditHead.value(SignedStatement.self, db)
        let head = signed == sealing.last ? signed?.auditHead(cluster: cluster, publicKey: publicKey) : nil
        guard let head, head.isOf(log.last) else { return Ledger.cut(log.last, head) }
        guard head.requests == log.forgets.count, head.certificates == log.finishes.count else {
            return
                "the log's signed head counts \(head.requests) forget requests and \(head.certificates) certificates; the "
                + "log has \(log.forgets.count) and \(log.finishes.count)"
        }
        return nil
    }

    private func fileFinding(_ file: AuditHeadFile, _ log: AuditReading, _ db: Database) throws -> String? {
        switch file {
        case .missing: return "\(AuditHeadFile.name) is missing"
        case .unusable: return "\(AuditHeadFile.name) is damaged, or signed with another key"
        case .head(let head):
            return try contains(head, db)
                ? nil : "entry \(head.sequence), which \(AuditHeadFile.name) names, is not in the log"
        }
    }

    private func requestFinding(_ log: AuditReading, _ db: Database) throws -> String? {
        var (requests, certificates) = (0, 0)
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, audit, outcome, certificate FROM forget_requests ORDER BY number")
        while let row = try rows.next() {
            let id: String = try row.value("id", in: "forget_requests")
            let entry = try row.hash("audit", in: "forget_requests")
            let isClosed = try !row.decode(DatabaseValue.self, forColumn: "certificate").isNull
            requests += 1
            guard log.forgets.contains(entry) else { return "the log has no entry for forget request \(id)" }
            guard isClosed else { continue }
            certificates += 1
            guard log.finishes.contains(Ledger.auditName(ofRequest: id)) || log.finishes.contains(id) else {
                return "the log has no entry for the certificate of request \(id)"
            }
            guard let statement = try? ClosedRequest(row: row)?.certificate.statement else {
                return "the certificate of request \(id) cannot be read"
            }
            guard statement.auditHead == entry, statement.request == id else {
                return "the certificate of request \(id) is another one's, or names another entry of the log"
            }
        }
        guard requests == log.forgets.count, certificates == log.finishes.count else {
            return
                "the log has \(log.forgets.count) forget requests and \(log.finishes.count) certificates; the ledger "
                + "keeps \(requests) and \(certificates)"
        }
        return nil
    }
}

/// The log as it is read from the front.
private struct AuditReading {
    var last: AuditEntry?
    var entries: Int { last?.sequence ?? 0 }
    /// Hashes of the entries of forget requests.
    var forgets: Set<String> = []
    /// What the entries of certificates call their requests; in those of earlier versions the id itself.
    var finishes: Set<String> = []

    /// Returns what is wrong with the entry.
    mutating func take(_ row: Row) throws -> String? {
        let expected = entries + 1
        let entry: AuditEntry
        do {
            entry = try AuditEntry(row: row)
        } catch LedgerError.corrupt(_, let reason) {
            return "entry \(expected) of the log cannot be read: \(reason)"
        }
        guard entry.sequence == expected else { return "entry \(expected) of the log is missing" }
        guard entry.previous == (last?.hash ?? Ledger.noHash) else {
            return "entry \(expected) of the log is not chained to the one before it"
        }
        guard entry.hash == entry.computedHash else { return "entry \(expected) of the log was changed" }
        last = entry
        if entry.kind == "forget" { forgets.insert(entry.hash) }
        if entry.kind == "finish" {
            let finish = try? JSONDecoder().decode(Finish.self, from: Data(entry.detail.utf8))
            finishes.insert(finish?.request ?? "")
        }
        return nil
    }

    private struct Finish: Decodable { var request: String }
}
