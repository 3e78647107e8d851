import Foundation
import GRDB
import Messages

/// The log and the forget requests as they are read from the front, a portion at a time.
package struct AuditReading {
    private let entriesOfPortion: Int
    private let requestsOfPortion: Int
    private(set) var last: AuditEntry?
    /// Hashes of the entries of forget requests.
    private(set) var forgets: Set<String> = []
    /// What the entries of certificates call their requests; in those of earlier versions the id itself.
    private(set) var finishes: Set<String> = []
    private var lastRequest = Int64.min
    private var (requests, certificates) = (0, 0)
    /// Numbers of requests that had no certificate when they were read.
    private var pending: [Int64] = []
    /// What is wrong with the first request with which something is.
    private var finding: String?

    /// - Parameters:
    ///   - entries: of one portion: acknowledgements wait for it, some ten milliseconds.
    ///   - requests: of one portion, with their certificates.
    package init(entries: Int = 1000, requests: Int = 200) {
        (entriesOfPortion, requestsOfPortion) = (max(1, entries), max(1, requests))
    }

    var entries: Int { last?.sequence ?? 0 }

    // MARK: the log

    /// - Returns: what is wrong with an entry; whether that was the end of the log.
    mutating func takeEntries(_ db: Database) throws -> (broken: String?, isAtEnd: Bool) {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?",
            arguments: [last?.sequence ?? Int.min, entriesOfPortion])
        var count = 0
        while let row = try rows.next() {
            if let broken = try take(row) { return (broken, false) }
            count += 1
        }
        return (nil, count < entriesOfPortion)
    }

    /// Returns what is wrong with the entry.
    private mutating func take(_ row: Row) throws -> String? {
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

    // MARK: requests

    /// - Returns: whether these were the last ones, or something is wrong with one.
    mutating func takeRequests(_ db: Database) throws -> Bool {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT number, id, audit, outcome, certificate FROM forget_requests
                WHERE number > ? ORDER BY number LIMIT ?
                """, arguments: [lastRequest, requestsOfPortion])
        var count = 0
        while finding == nil, let row = try rows.next() {
            lastRequest = try row.value("number", in: "forget_requests")
            requests += 1
            count += 1
            if try isClosed(row) { certificates += 1 } else { pending.append(lastRequest) }
            finding = try finding(of: row)
        }
        return finding != nil || count < requestsOfPortion
    }

    /// What is wrong with the requests, once all were read.
    mutating func requestFinding(_ db: Database) throws -> String? {
        if let finding { return finding }
        for number in pending {
            let one = "SELECT id, audit, outcome, certificate FROM forget_requests WHERE number = ?"
            let row = try Row.fetchOne(db.cachedStatement(sql: one), arguments: [number])
            // It was closed since.
            guard let row, try isClosed(row) else { continue }
            certificates += 1
            if let finding = try finding(of: row) { return finding }
        }
        guard requests == forgets.count, certificates == finishes.count else {
            return
                "the log has \(forgets.count) forget requests and \(finishes.count) certificates; the ledger "
                + "keeps \(requests) and \(certificates)"
        }
        return nil
    }

    private func isClosed(_ row: Row) throws -> Bool {
        try !row.decode(DatabaseValue.self, forColumn: "certificate").isNull
    }

    private func finding(of row: Row) throws -> String? {
        let id: String = try row.value("id", in: "forget_requests")
        let entry = try row.hash("audit", in: "forget_requests")
        guard forgets.contains(entry) else { return "the log has no entry for forget request \(id)" }
        guard try isClosed(row) else { return nil }
        guard finishes.contains(Ledger.auditName(ofRequest: id)) || finishes.contains(id) else {
            return "the log has no entry for the certificate of request \(id)"
        }
        guard let statement = try? ClosedRequest(row: row)?.certificate.statement else {
            return "the certificate of request \(id) cannot be read"
        }
        guard statement.auditHead == entry, statement.request == id else {
            return "the certificate of request \(id) is another one's, or names another entry of the log"
        }
        return nil
    }
}
