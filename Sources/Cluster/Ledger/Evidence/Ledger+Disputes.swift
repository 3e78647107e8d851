import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Takes a published adapter away that a second training did not give: it answers nothing until a third decides, and
    /// requests that rest on it wait again. Nothing happens when it is not the shard's adapter any more.
    package func quarantine(_ dispute: AdapterDispute, at time: Date) throws {
        try requireShard(dispute.shard)
        try commit { db in
            guard try shardState(dispute.shard, db).adapter == dispute.published else { return }
            try dropAdapter(shard: dispute.shard, db)
            // Whoever made them may have made the wrong ones.
            try dropStages(shard: dispute.shard, db)
            try db.execute(
                sql: "UPDATE shards SET quarantined = ? WHERE shard = ?",
                arguments: [time.milliseconds, dispute.shard])
            try db.execute(sql: "DELETE FROM tuning")
            let hash = try audit(db, "dispute", dispute, at: time)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT request, finished FROM forget_shards JOIN forget_requests ON number = request
                    WHERE shard = ? AND new_adapter IN (?, ?) ORDER BY request
                    """, arguments: [dispute.shard, dispute.published, StoredHash.value(dispute.published)])
            let adapter = Supplement.DisputedAdapter(
                shard: dispute.shard, adapter: dispute.published, other: dispute.other, workers: dispute.workers)
            for row in rows {
                let number: Int64 = try row.value("request", in: "forget_shards")
                guard try row.optionalDate("finished", in: "forget_requests") == nil else {
                    try supplement(request: number, auditHead: hash, at: time, db) { _ in .disputed(adapter) }
                    continue
                }
                try db.execute(
                    sql: """
                        UPDATE forget_shards SET waiting = 1, new_adapter = NULL, new_manifest = NULL,
                        approximation = NULL, training = NULL WHERE request = ? AND shard = ?
                        """, arguments: [number, dispute.shard])
            }
        }
        try? deleteUnnamedAdapterFiles()
    }
}
