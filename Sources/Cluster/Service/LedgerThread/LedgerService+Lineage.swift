import Ledger
import Messages
import Recommendation
import Unlearning

/// What the reply about the lineage is made from, as it was read.
struct LineageParts: Sendable {
    var settings: LineageReply.Settings
    var shards: Int
    var entries: [[PlacedEntry]]
    var table: AttentionTable
    var attention: SampleAdaptiveAttention.Parameters
    /// `Ledger.forgetRevision`
    var revision: Int

    /// Sorts all prompts: not to be made where anybody waits.
    func reply() -> LineageReply {
        var manifests = [[ShardManifest.Entry]](repeating: [], count: shards)
        for placed in entries.joined() where manifests.indices.contains(placed.shard) {
            manifests[placed.shard].append(placed.entry)
        }
        return LineageReply(
            settings: settings,
            shards: manifests.enumerated().map { shard, entries in
                let manifest = ShardManifest(entries: entries)
                return LineageReply.Shard(shard: shard, manifest: manifest.digest, prompts: manifest.entries)
            },
            references: zip(table.ids, table.labels).map { LineageReply.Reference(id: $0, label: $1) },
            margins: table.rows.map { row in
                LineageReply.Margins(
                    shard: row.shard, adapter: row.adapter, margins: row.margins,
                    errors: SampleAdaptiveAttention.errors(margins: row.margins, labels: table.labels))
            }, attention: attention)
    }
}

extension LedgerService {
    /// Called with what was read.
    typealias LineageWaiter = (LedgerService, Result<LineageParts, ClientError>) -> Void

    /// Everybody is read a portion at a time; who asks meanwhile waits for the same.
    func withLineage(_ waiter: @escaping LineageWaiter) {
        lineageWaiters.append(waiter)
        guard lineageWaiters.count == 1 else { return }
        let reading = ledger.manifestsReading()
        goOnReading {
            try $0.ledger.goOn(with: reading)
        } then: { service, entries in
            let parts = entries.flatMap { entries in service.result { try service.lineageParts(entries) } }
            let waiters = service.lineageWaiters
            service.lineageWaiters = []
            for waiter in waiters { waiter(service, parts) }
        }
    }

    private func lineageParts(_ entries: [[PlacedEntry]]) throws -> LineageParts {
        let configuration = ledger.configuration
        return LineageParts(
            settings: LineageReply.Settings(
                prompts: try ledger.promptConfiguration(), partition: configuration.partition,
                shards: configuration.shards, seed: configuration.seed, embedding: configuration.embedding,
                rule: configuration.rule),
            shards: configuration.shards, entries: entries, table: try ledger.attentionTable(),
            attention: try preparedAttention().parameters, revision: ledger.forgetRevision)
    }
}
