import Crypto
import Foundation
import GRDB

extension Ledger {
    static let noHash = String(repeating: "0", count: 64)

    /// The whole log, oldest entry first.
    public func auditLog() throws -> [AuditEntry] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM audit ORDER BY sequence").map(AuditEntry.init(row:))
        }
    }

    /// Whether every entry is chained to the one before it and none is missing at the front or in the middle.
    ///
    /// Entries cut off at the end cannot be seen from the log alone; a certificate names the entry it belongs to.
    public func verifyAuditChain() throws -> Bool {
        try read { db in
            var previous = Ledger.noHash
            var sequence = 1
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM audit ORDER BY sequence")
            while let row = try rows.next() {
                let entry = AuditEntry(row: row)
                guard entry.sequence == sequence, entry.previous == previous, entry.hash == entry.computedHash else {
                    return false
                }
                previous = entry.hash
                sequence += 1
            }
            return true
        }
    }

    /// Adds an entry; returns its hash.
    @discardableResult
    func audit(_ db: Database, _ kind: String, _ detail: some Encodable, at time: Date) throws -> String {
        let last = try Row.fetchOne(db, sql: "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1")
        var entry = AuditEntry(
            sequence: (last?["sequence"] ?? 0) + 1, time: time.stored, kind: kind,
            detail: try JSONEncoder.stable.text(detail), previous: last?["hash"] ?? Ledger.noHash, hash: "")
        entry.hash = entry.computedHash
        try db.execute(
            sql: "INSERT INTO audit (sequence, time, kind, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                entry.sequence, entry.time.milliseconds, entry.kind, entry.detail, entry.previous, entry.hash,
            ])
        return entry.hash
    }
}

extension AuditEntry {
    fileprivate init(row: Row) {
        self.init(
            sequence: row["sequence"], time: Date(milliseconds: row["time"]), kind: row["kind"],
            detail: row["detail"], previous: row["previous"], hash: row["hash"])
    }

    /// SHA-256, in hexadecimal, of the entry's lines: previous, sequence, milliseconds since 1970, kind, detail.
    public var computedHash: String {
        let text = "\(previous)\n\(sequence)\n\(time.milliseconds)\n\(kind)\n\(detail)\n"
        return SHA256.hash(data: Data(text.utf8)).hexadecimal
    }
}

extension Sequence<UInt8> {
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
