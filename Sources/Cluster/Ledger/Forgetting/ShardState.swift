import Foundation
import GRDB
import Messages
import Unlearning

/// One row of the shards, with its adapter.
struct ShardState {
    var manifest: String
    var prompts: Int
    var isQuarantined: Bool
    var adapter: String?
    var trainedManifest: String?
    /// As JSON; nil: no adapter.
    var report: String?
    /// By what the quarantined adapter is to be corrected.
    var correction: String?
    var trainedPrompts: Int
    var trainedTokens: Int

    func trainingReport() throws -> TrainingReport? {
        try report.map { try JSONDecoder().decode(TrainingReport.self, from: Data($0.utf8)) }
    }
}

extension Ledger {
    func shardState(_ shard: Int, _ db: Database) throws -> ShardState {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT shards.manifest, shards.prompts, shards.quarantined, shards.trained_prompts,
                shards.trained_tokens, adapters.name AS adapter, adapters.manifest AS adapter_manifest, adapters.report,
                (SELECT method FROM corrections WHERE corrections.shard = shards.shard) AS correction
                FROM shards LEFT JOIN adapters ON adapters.shard = shards.shard WHERE shards.shard = ?
                """, arguments: [shard])
        guard let row else { throw LedgerError.unknownShard(shard) }
        return ShardState(
            manifest: try row.value("manifest", in: "shards"), prompts: try row.count("prompts", in: "shards"),
            isQuarantined: try row.optionalDate("quarantined", in: "shards") != nil,
            adapter: try row.optional("adapter", in: "adapters"),
            trainedManifest: try row.optional("adapter_manifest", in: "adapters"),
            report: try row.optional("report", in: "adapters"),
            correction: try row.optional("correction", in: "corrections"),
            trainedPrompts: try row.count("trained_prompts", in: "shards"),
            // Stored by a version that believed any number.
            trainedTokens: min(max(0, try row.value("trained_tokens", in: "shards")), WireLimits.tokens.upperBound))
    }
}
