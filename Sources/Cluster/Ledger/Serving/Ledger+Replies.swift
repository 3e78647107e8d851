import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Replies kept; older ones are dropped.
    static let repliesKept = 10_000
    /// Bytes of replies kept.
    static let replyBytesKept = 64 << 20

    /// nil: not answered yet, or so long ago that it was dropped.
    package func reply(requestID: String) throws -> Data? {
        try read { db in
            try Data.fetchOne(db, sql: "SELECT body FROM replies WHERE request = ?", arguments: [requestID])
        }
    }

    /// Keeps a reply for a client that asks again. It must hold nobody's data. It is no change of the data, so it writes no
    /// audit entry.
    package func store(reply: Data, requestID: String, at time: Date) throws {
        try commit { try insert(reply: reply, requestID: requestID, $0) }
    }

    /// What the import did that was finished under this request id; nil: none was, or so long ago that it was dropped.
    package func importOutcome(requestID: String) throws -> ImportOutcome? {
        try reply(requestID: Ledger.outcomePrefix + requestID).map {
            try JSONDecoder().decode(ImportOutcome.self, from: $0)
        }
    }

    /// In front of request ids, which have no control characters: no client's request has such an id.
    static let outcomePrefix = "outcome\n"

    func insert(reply: Data, requestID: String, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM replies WHERE request = ?", arguments: [requestID])
        try db.execute(
            sql: "INSERT INTO replies (request, size, body) VALUES (?, ?, ?)",
            arguments: [requestID, reply.count, reply])
        try dropOldReplies(newest: db.lastInsertedRowID, db)
    }

    private func dropOldReplies(newest: Int64, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM replies WHERE number <= ?", arguments: [newest - Int64(Ledger.repliesKept)])
        var bytes = try Int.fetchOne(db, sql: "SELECT SUM(size) FROM replies") ?? 0
        while bytes > Ledger.replyBytesKept {
            let oldest = try Row.fetchOne(
                db, sql: "SELECT number, size FROM replies WHERE number < ? ORDER BY number LIMIT 1",
                arguments: [newest])
            guard let oldest else { return }
            bytes -= try oldest.count("size", in: "replies")
            try db.execute(
                sql: "DELETE FROM replies WHERE number = ?", arguments: [oldest.value("number", in: "replies") as Int64]
            )
        }
    }
}
