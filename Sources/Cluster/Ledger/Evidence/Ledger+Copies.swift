import Foundation
import GRDB
import Messages
import Recommendation

extension HandedCopy {
    fileprivate init(row: Row, in table: String) throws {
        self.init(
            worker: try row.value("worker", in: table), name: try row.value("name", in: table),
            shard: try row.value("shard", in: table), manifest: try row.value("manifest", in: table))
    }
}

extension UnconfirmedCopy {
    /// Copies that may hold what a request forgot and are not confirmed gone.
    static func all(ofRequest number: Int64, _ db: Database) throws -> [UnconfirmedCopy] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT worker, name, shard, manifest, sealed FROM forget_copies WHERE request = ? AND state = 'open'
                ORDER BY worker, shard, manifest
                """, arguments: [number]
        ).map { row in
            let copy = try HandedCopy(row: row, in: "forget_copies")
            return UnconfirmedCopy(copy, keyDestroyed: try row.value("sealed", in: "forget_copies"))
        }
    }
}

/// The record of what lies on workers' disks. It is written before anything is handed out and outlives every process, so
/// that a forget request knows all copies that may hold its data, whoever is here at the moment.
extension Ledger {
    /// Durable when it returns; nothing is written when it is on record already.
    package func recordCopy(_ copy: HandedCopy, at time: Date) throws {
        try requireShard(copy.shard)
        let isKnown = try read { db in
            try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM copies WHERE worker = ? AND shard = ? AND manifest = ?)",
                arguments: [copy.worker, copy.shard, copy.manifest]) ?? false
        }
        guard !isKnown else { return }
        // What the coordinator's logic is told does not change by it: the snapshot stays.
        try requireSameFiles()
        try LedgerFiles.mappingErrors(at: database.path) {
            try queue.write { try insert(copy, at: time, $0) }
        }
    }

    /// By worker, shard and manifest.
    package func copies() throws -> [HandedCopy] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM copies ORDER BY worker, shard, manifest").map { row in
                try HandedCopy(row: row, in: "copies")
            }
        }
    }

    func copies(ofShard shard: Int, _ db: Database) throws -> [HandedCopy] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM copies WHERE shard = ? ORDER BY worker, manifest", arguments: [shard]
        ).map { try HandedCopy(row: $0, in: "copies") }
    }

    /// Takes what became known of a worker's copies into the record, and adds to the evidence of requests that are
    /// finished: a signed supplement for each that named one of them.
    ///
    /// - `word`: an operator's, kept for clients that ask again.
    package func settleCopies(_ settlement: CopySettlement, by word: SettledWord? = nil, at time: Date) throws {
        try commit { db in
            if let word { try keep(word, db) }
            if settlement.removesWorker { try remove(settlement, at: time, db) }
            let recorded = try Row.fetchAll(
                db, sql: "SELECT * FROM copies WHERE worker = ? ORDER BY shard, manifest",
                arguments: [settlement.worker]
            ).map { row in
                try HandedCopy(row: row, in: "copies")
            }
            let (gone, returned) = settlement.changes(of: recorded)
            guard !gone.isEmpty || !returned.isEmpty else { return }
            for copy in returned { try insert(copy, at: time, db) }
            for copy in gone {
                try db.execute(
                    sql: "DELETE FROM copies WHERE worker = ? AND shard = ? AND manifest = ?",
                    arguments: [copy.worker, copy.shard, copy.manifest])
            }
            let detail = SettlementDetail(
                worker: settlement.worker, reason: settlement.reason, gone: gone.map(SettlementDetail.Copy.init),
                returned: returned.map(SettlementDetail.Copy.init))
            let hash = try audit(db, "copies", detail, at: time)
            try settle(gone, to: settlement.reason.rawValue, auditHead: hash, at: time, db)
            try settle(returned, to: "open", auditHead: hash, at: time, db)
        }
    }

    /// Notes every copy that is on record and not of its shard's present data: it may hold what the request forgets. Where
    /// prompts never move between shards, copies of shards that the request does not touch cannot.
    func suspectCopies(request number: Int64, shards: [Int], at time: Date, _ db: Database) throws {
        let suspects = try Row.fetchAll(
            db,
            sql: """
                SELECT copies.* FROM copies JOIN shards ON shards.shard = copies.shard
                WHERE copies.manifest <> shards.manifest ORDER BY copies.worker, copies.shard, copies.manifest
                """
        ).map { (copy: try HandedCopy(row: $0, in: "copies"), isSealed: try $0.value("sealed", in: "copies") as Bool) }
        for (copy, isSealed) in suspects where configuration.partition.isDataDependent || shards.contains(copy.shard) {
            try db.execute(
                sql: """
                    INSERT INTO forget_copies (request, worker, shard, manifest, name, sealed, time)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    number, copy.worker, copy.shard, copy.manifest, copy.name, isSealed, time.milliseconds,
                ])
        }
    }

    private func insert(_ copy: HandedCopy, at time: Date, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO copies (worker, shard, manifest, name, sealed, time) VALUES (?, ?, ?, ?, 1, ?)",
            arguments: [copy.worker, copy.shard, copy.manifest, copy.name, time.milliseconds])
    }

    /// Brings the requests that name these copies up to date. A copy that was declared destroyed and is there again is open
    /// again.
    private func settle(
        _ copies: [HandedCopy], to state: String, auditHead: String, at time: Date, _ db: Database
    ) throws {
        var affected: Set<Int64> = []
        for copy in copies {
            let numbers = try Int64.fetchAll(
                db,
                sql: """
                    SELECT request FROM forget_copies WHERE worker = ? AND shard = ? AND manifest = ?
                    AND (state = 'open') <> (? = 'open')
                    """, arguments: [copy.worker, copy.shard, copy.manifest, state])
            for number in numbers {
                affected.insert(number)
                try db.execute(
                    sql: """
                        UPDATE forget_copies SET state = ?, time = ?
                        WHERE request = ? AND worker = ? AND shard = ? AND manifest = ?
                        """,
                    arguments: [state, time.milliseconds, number, copy.worker, copy.shard, copy.manifest])
            }
        }
        for number in affected.sorted() {
            try supplement(request: number, auditHead: auditHead, at: time, db) { .copies($0) }
        }
    }

    private struct SettlementDetail: Encodable {
        struct Copy: Encodable {
            var shard: Int
            var manifest: String

            init(_ copy: HandedCopy) {
                shard = copy.shard
                manifest = copy.manifest
            }
        }

        var worker: String
        var reason: CopySettlement.Reason
        var gone: [Copy]
        var returned: [Copy]
    }
}
