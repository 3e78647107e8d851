import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Every audited transaction also signs the log's head, in the database; `audit.head` follows, durably, before a
    /// forget, a signed statement or a new adapter is acknowledged, after every 64 entries and when the ledger is closed.
    ///
    /// A head or an entry that this process did not write means that somebody else wrote to the log: the log itself says so
    /// from then on.
    func signHead(_ db: Database) throws {
        guard let head = sealing.staged?.head else { return }
        let signed = try SignedStatement(head, signedBy: signingKey)
        let text = try JSONEncoder.stable.encode(signed)
        try Meta.auditHead.set(text: text, db)
        sealing.staged?.signed = (signed, text)
    }

    /// The head to count on from, and what is wrong with it or with the log.
    func lastHead(_ db: Database) throws -> (head: AuditHead, finding: String?) {
        // Nobody else writes while the transaction is under way.
        if let staged = sealing.staged { return (staged.head, nil) }
        let last = try lastEntry(db)
        let text = try Meta.auditHead.text(db)
        let known = text == sealing.lastHead?.text ? sealing.lastHead?.head : nil
        if let known, known.isOf(last) { return (known, nil) }
        return (try countedHead(db), Ledger.cut(last, known))
    }

    /// Writes the head that was committed last to its file.
    func sealIfPending() throws {
        guard let head = sealing.unwritten else { return }
        // Not into the place of another ledger's head.
        try requireSameFiles()
        try headPlaces.write(head, to: headFile)
        sealing.written()
    }

    /// After a commit. A disk that is too full for the file leaves it behind: it is tried again after the next commit, and
    /// `finish` insists on it.
    func sealIfDue() {
        sealing.committed()
        if sealing.isDue { try? sealIfPending() }
    }

    /// Compares log and heads when the ledger is opened, and signs anew.
    ///
    /// After a crash the file may be behind the database, never before it. A database that is older than the file was put
    /// back from a copy: it would not know what was forgotten since.
    ///
    /// - Throws: `LedgerError.olderThanHead`.
    func openHead(accepting accepted: AcceptedLosses, at time: Date) throws {
        let key = accepted.contains(.certificateKey) ? nil : publicKey
        let file = try AuditHeadFile(headFile, cluster: cluster, publicKey: key)
        let (finding, isOlder, isNew) = try read { db in try compare(file, checkedBy: key, db) }
        if let finding, isOlder && !accepted.contains(.auditLog) {
            throw LedgerError.olderThanHead(path: database.path, reason: finding)
        }
        if isNew { try writeFirstHead() }
        try commit { db in
            let former = try Meta.auditHead.value(SignedStatement.self, db)
            let stored = former?.auditHead(cluster: cluster, publicKey: key)
            let head = try stored.flatMap { try $0.isOf(lastEntry(db)) ? $0 : nil } ?? countedHead(db)
            sealing.stage(head, entry: nil)
            let present = SignedStatement.keyID(publicKey)
            if let former = former?.keyID, former != present {
                try audit(db, "new certificate key", ["former": former, "present": present], at: time)
            }
            let known = try openFinding(db)
            if let finding { try audit(db, Ledger.finding, Finding(finding: finding), at: time) }
            if accepted.contains(.auditLog), let found = finding ?? known {
                try audit(db, Ledger.findingAccepted, Finding(finding: found), at: time)
            }
        }
        try sealIfPending()
    }

    /// The kinds of entry by which the log says that it was changed from outside, and that an operator knows.
    static let finding = "audit finding"
    static let findingAccepted = "audit finding accepted"

    struct Finding: Codable { var finding: String }

    /// What the log says of itself, unless an operator accepted it.
    func openFinding(_ db: Database) throws -> String? {
        let last = try Row.fetchOne(
            db,
            // As the index has it: the log is not read through.
            sql: """
                SELECT sequence, kind, detail FROM audit WHERE kind IN ('audit finding', 'audit finding accepted')
                ORDER BY sequence DESC LIMIT 1
                """)
        guard let last, try last.value("kind", in: "audit") == Ledger.finding else { return nil }
        let sequence = try last.count("sequence", in: "audit")
        let detail = try last.packedText("detail", in: "audit", of: "entry \(sequence)")
        return (try? JSONDecoder().decode(Finding.self, from: Data(detail.utf8)))?.finding
            ?? "the log was changed from outside"
    }

    /// How log and heads differ.
    ///
    /// - Returns: what is wrong; whether the database is only older than the file; whether there was no head ever.
    private func compare(
        _ file: AuditHeadFile, checkedBy key: Data?, _ db: Database
    ) throws -> (finding: String?, isOlder: Bool, isNew: Bool) {
        let last = try lastEntry(db)
        let sequence = last?.sequence ?? 0
        let signed = try Meta.auditHead.value(SignedStatement.self, db)
        let stored = signed?.auditHead(cluster: cluster, publicKey: key)
        let matches = stored?.isOf(last) ?? false
        switch file {
        case .missing where signed == nil: return (nil, false, true)
        case .missing: return ("\(AuditHeadFile.name) is missing", false, false)
        case .unusable: return ("\(AuditHeadFile.name) is damaged, or signed with another key", false, false)
        case .head(let head):
            if try !contains(head, db) {
                let finding =
                    "the log ends at entry \(sequence) and does not hold entry \(head.sequence), which "
                    + "\(AuditHeadFile.name) names"
                // A copy from before there were heads has none; a log that was only cut has one that does not fit.
                return (finding, (matches || signed == nil) && head.sequence > sequence, false)
            }
            // Killed between the first file and the first head in the database.
            if signed == nil, head.sequence == sequence { return (nil, false, false) }
            return (matches ? nil : Ledger.cut(last, stored), false, false)
        }
    }

    static func cut(_ last: AuditEntry?, _ stored: AuditHead?) -> String {
        let end = "the log ends at entry \(last?.sequence ?? 0)"
        guard let stored else {
            return "\(end), and its signed head in the database is missing or not the one that was signed"
        }
        return stored.sequence == last?.sequence
            ? "\(end), which is not the one that was signed" : "\(end), but it was signed at entry \(stored.sequence)"
    }

    /// Whether the log holds the head's entry.
    func contains(_ head: AuditHead, _ db: Database) throws -> Bool {
        if head.sequence == 0 { return head.hash == Ledger.noHash }
        return try Row.fetchOne(db, sql: "SELECT hash FROM audit WHERE sequence = ?", arguments: [head.sequence])?
            .hash("hash", in: "audit") == head.hash
    }

    /// Counted in the log, where no head is there to count on from.
    private func countedHead(_ db: Database) throws -> AuditHead {
        let last = try lastEntry(db)
        let count = "SELECT COUNT(*) FROM audit WHERE kind = ?"
        return AuditHead(
            cluster: cluster, sequence: last?.sequence ?? 0, hash: last?.hash ?? Ledger.noHash,
            requests: try Int.fetchOne(db, sql: count, arguments: ["forget"]) ?? 0,
            certificates: try Int.fetchOne(db, sql: count, arguments: ["finish"]) ?? 0,
            time: (last?.time ?? Date(milliseconds: 0)).iso8601)
    }

    /// The file comes first: a head in the database without a file means that the file was taken away.
    private func writeFirstHead() throws {
        let head = try read { try SignedStatement(countedHead($0), signedBy: signingKey) }
        try LedgerFiles.writeAtomically(Data(head.compact.utf8), to: headFile)
    }

    var headFile: URL { directory.appendingPathComponent(AuditHeadFile.name) }
}
