import Messages
import Recommendation
import Unlearning

extension LedgerService {
    /// - Throws: `LedgerError`.
    func lineage() throws -> LineageReply {
        let table = try ledger.attentionTable()
        let configuration = ledger.configuration
        return LineageReply(
            settings: LineageReply.Settings(
                prompts: try ledger.promptConfiguration(), partition: configuration.partition,
                shards: configuration.shards, seed: configuration.seed, embedding: configuration.embedding,
                rule: configuration.rule),
            shards: try (0..<ledger.configuration.shards).map { shard in
                let manifest = try ledger.manifest(shard: shard)
                return LineageReply.Shard(shard: shard, manifest: manifest.digest, prompts: manifest.entries)
            },
            references: zip(table.ids, table.labels).map { LineageReply.Reference(id: $0, label: $1) },
            margins: table.rows.map { row in
                LineageReply.Margins(
                    shard: row.shard, adapter: row.adapter, margins: row.margins,
                    errors: SampleAdaptiveAttention.errors(margins: row.margins, labels: table.labels))
            }, attention: try preparedAttention().parameters)
    }
}
