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
        var reading = AuditReading()
        while true { if let verdict = try goOn(with: &reading) { return verdict } }
    }

    /// Reads a portion, in a transaction of its own: what was written since is read before the end, so that in between anything
    /// may be written.
    ///
    /// - Returns: nil: that is not the end.
    package func goOn(with reading: inout AuditReading) throws -> AuditVerdict? {
        try read { db in
            let (broken, isAtEnd) = try reading.takeEntries(db)
            if let broken { return AuditVerdict(entries: reading.entries, finding: broken) }
            // Requests are read with the whole log of that moment.
            guard isAtEnd, try reading.takeRequests(db) else { return nil }
            let file = try AuditHeadFile(headFile, cluster: cluster, publicKey: publicKey)
            let finding =
                try openFinding(db) ?? endFinding(reading, db) ?? fileFinding(file, reading, db)
                ?? reading.requestFinding(db)
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
}
