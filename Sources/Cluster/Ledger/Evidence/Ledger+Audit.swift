import Crypto
import Files
import Foundation
import GRDB
import Recommendation

extension Ledger {
    static let noHash = String(repeating: "0", count: 64)

    /// The log, oldest entry first: what comes after an entry, at most so many.
    package func auditLog(after sequence: Int = 0, limit: Int = .max) throws -> [AuditEntry] {
        try read { try AuditEntry.page($0, after: sequence, limit: limit) }
    }

    /// Adds an entry, and before it one that says so when the log was changed from outside; returns its hash.
    @discardableResult
    func audit(_ db: Database, _ kind: String, _ detail: some Encodable, at time: Date) throws -> String {
        var (head, finding) = try lastHead(db)
        if let finding, kind != Ledger.finding {
            let entry = try append(Ledger.finding, Finding(finding: finding), after: head, at: time, db)
            head = head.advanced(to: entry)
            sealing.stage(head, entry: entry)
        }
        let entry = try append(kind, detail, after: head, at: time, db)
        sealing.stage(head.advanced(to: entry), entry: entry)
        return entry.hash
    }

    func lastEntry(_ db: Database) throws -> AuditEntry? {
        try Row.fetchOne(db, sql: "SELECT * FROM audit ORDER BY sequence DESC LIMIT 1").map(AuditEntry.init(row:))
    }

    private func append(
        _ kind: String, _ detail: some Encodable, after last: AuditHead, at time: Date, _ db: Database
    ) throws -> AuditEntry {
        var entry = AuditEntry(
            sequence: last.sequence + 1, time: time.stored, kind: kind,
            detail: try JSONEncoder.audited.text(detail), previous: last.hash, hash: "")
        entry.hash = entry.computedHash
        try db.execute(
            sql: "INSERT INTO audit (sequence, time, kind, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                entry.sequence, entry.time.milliseconds, entry.kind,
                PackedText.pack(Data(entry.detail.utf8))?.databaseValue ?? entry.detail.databaseValue,
                StoredHash.value(entry.previous), StoredHash.value(entry.hash),
            ])
        return entry
    }
}

extension Ledger {
    /// What the audit log calls a request: SHA-256, in hexadecimal, of its id in UTF-8. Clients choose ids, and the log is
    /// never deleted. Who knows the id finds the entries: `printf %s ID | sha256sum`.
    static func auditName(ofRequest id: String) -> String {
        SHA256.hash(data: Data(id.utf8)).hexadecimal
    }
}

extension JSONEncoder {
    /// For details of the audit log: stable, and all times as the log's own are shown, in ISO 8601, UTC, with milliseconds.
    /// Entries of earlier versions keep theirs (seconds since 2001), since they are what was hashed.
    fileprivate static var audited: JSONEncoder {
        let encoder = JSONEncoder.stable
        encoder.dateEncodingStrategy = .shown
        return encoder
    }
}

extension AuditEntry {
    static func page(_ db: Database, after sequence: Int, limit: Int) throws -> [AuditEntry] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?", arguments: [sequence, limit]
        ).map(AuditEntry.init(row:))
    }

    init(row: Row) throws {
        let sequence = try row.count("sequence", in: "audit")
        self.init(
            sequence: sequence, time: try row.date("time", in: "audit"), kind: try row.value("kind", in: "audit"),
            detail: try row.packedText("detail", in: "audit", of: "entry \(sequence)"),
            previous: try row.hash("previous", in: "audit"), hash: try row.hash("hash", in: "audit"))
    }

    /// SHA-256, in hexadecimal, of the entry's lines: previous, sequence, milliseconds since 1970, kind, detail.
    package var computedHash: String {
        let text = "\(previous)\n\(sequence)\n\(time.milliseconds)\n\(kind)\n\(detail)\n"
        return SHA256.hash(data: Data(text.utf8)).hexadecimal
    }
}
