import Foundation
import GRDB
import Messages

/// The list of workers: those that are away stay on it until an operator removes them.
extension Ledger {
    /// By id, as of now.
    package func workers(at time: Date) throws -> [RememberedWorker] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM fleet ORDER BY worker").map { row in
                let away: Int64? = try row.optional("away", in: "fleet")
                return RememberedWorker(
                    record: try row.json("record", in: "fleet"),
                    // A clock that was set back counts as no time.
                    awaySeconds: away.map { Double(max(0, time.milliseconds - max(0, $0))) / 1000 })
            }
        }
    }

    /// - `gone`: ids of those that are not on the list any more.
    package func noteWorkers(_ records: [WorkerRecord], gone: [String], at time: Date) throws {
        try commit { db in
            for record in records { try store(record, at: time, db) }
            for worker in gone { try unlist(worker, db) }
        }
    }

    /// An operator's word about a worker; it leaves an entry in the audit log.
    ///
    /// - `word`: kept for clients that ask again.
    package func setDuty(_ record: WorkerRecord, by word: SettledWord, at time: Date) throws {
        try commit { db in
            try keep(word, db)
            try store(record, at: time, db)
            try audit(
                db, "worker duty", WorkerEntry(worker: record.worker, name: record.name, duty: record.duty), at: time)
        }
    }

    /// The worker leaves the list, by an operator's word.
    func remove(_ settlement: CopySettlement, at time: Date, _ db: Database) throws {
        try unlist(settlement.worker, db)
        try audit(
            db, "worker removed", WorkerEntry(worker: settlement.worker, name: settlement.name, duty: nil), at: time)
    }

    private func unlist(_ worker: String, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM fleet WHERE worker = ?", arguments: [worker])
    }

    /// Since when it is away is of when that was noted first.
    private func store(_ record: WorkerRecord, at time: Date, _ db: Database) throws {
        let away = record.absence == nil ? nil : time.milliseconds
        try db.execute(
            sql: """
                INSERT INTO fleet (worker, record, away) VALUES (?, ?, ?)
                ON CONFLICT (worker) DO UPDATE SET record = excluded.record,
                    away = CASE WHEN excluded.away IS NULL THEN NULL ELSE COALESCE(away, excluded.away) END
                """,
            arguments: [record.worker, try JSONEncoder.stable.text(record), away])
    }

    private struct WorkerEntry: Encodable {
        var worker: String
        var name: String
        var duty: WorkerDuty?
    }
}
