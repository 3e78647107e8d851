import Foundation
import GRDB
import Messages
import Unlearning

extension Ledger {
    /// An empty shard needs no adapter: whoever waits for one need not wait any longer.
    func emptied(shard: Int, manifest: String, _ db: Database) throws {
        try dropAdapter(shard: shard, db)
        try dropStages(shard: shard, db)
        try db.execute(sql: "UPDATE shards SET quarantined = NULL WHERE shard = ?", arguments: [shard])
        try db.execute(sql: "DELETE FROM damaged_adapters WHERE shard = ?", arguments: [shard])
        try dropCorrection(shard: shard, db)
        try settle(shard: shard, manifest: manifest, nil, db)
    }

    /// Notes in the forget requests that wait for the shard what took the place of the adapter that is gone. A corrected
    /// adapter ends the waiting of those only that asked for an approximate method.
    ///
    /// - Parameter report: nil: the shard is empty and needs no adapter.
    func settle(shard: Int, manifest: String, _ report: TrainingReport?, _ db: Database) throws {
        let correction = report?.correction.map(Certificate.Correction.init)
        try db.execute(
            sql: """
                UPDATE forget_shards
                SET waiting = 0, new_adapter = ?, new_manifest = ?, approximation = ?, training = ?
                WHERE shard = ? AND waiting = 1 AND (? OR exact = 0)
                """,
            arguments: [
                report?.adapter, manifest, try correction.map { try JSONEncoder.stable.text($0) },
                try report.map { try JSONEncoder.stable.text($0) }, shard, correction == nil,
            ])
    }
}
