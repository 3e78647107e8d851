import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Everything that is kept of a person: interactions, the prompts that follow from them, the shards and adapters that these
    /// reached, and the disks that may hold them.
    ///
    /// - Throws: `LedgerError.unknownUser`.
    package func personalData(user name: String) throws -> AccessReply {
        let adapters = try self.adapters()
        return try read { db in
            // Whom earlier releases kept under several spellings is asked about under the first.
            guard let known = try people(named: name.normalised, db).first else { throw LedgerError.unknownUser(name) }
            let catalogue = try catalogue(db)
            let rows = try prompts(of: known, promptContext(db))
            let epochs = try epochsOfAll(db)
            let earlier = Set(
                known.person.interactions.flatMap(\.seen).filter { epochs[$0.shard] == $0.epoch }.map(\.shard))
            let own = rows.filter { $0.split == .train }.compactMap(\.shard)
            return AccessReply(
                user: known.person.name, slice: known.person.slice,
                interactions: try zip(known.person.interactions, known.person.interactions(catalogue)).map {
                    kept, row in
                    AccessReply.Rating(
                        item: row.item, title: catalogue[kept.item]?.title, timestamp: row.timestamp,
                        rating: row.rating)
                },
                sampled: try sampled(for: known.person, catalogue),
                prompts: rows.map { AccessReply.Prompt($0.prompt, shard: $0.shard) },
                shards: try earlier.union(own).sorted().map { shard in
                    let adapter = adapters.first { $0.shard == shard }
                    let stage = adapter.flatMap { $0.report.isStage ? $0.report.slices : nil }
                    return AccessReply.Shard(
                        shard: shard, prompts: own.count { $0 == shard }, adapter: adapter?.name,
                        isCurrent: try adapter?.manifest == shardState(shard, db).manifest
                            && stage == nil,
                        sawEarlier: earlier.contains(shard), copies: try copies(ofShard: shard, db),
                        stage: stage?.stage, slices: stage?.count)
                })
        }
    }

    /// What imports drew for the person's interactions; nil: nothing.
    private func sampled(for person: Person, _ catalogue: Catalogue) throws -> [AccessReply.Sampled]? {
        let all = try zip(person.interactions, person.interactions(catalogue)).flatMap { kept, row in
            try zip(kept.negatives, person.negatives(of: kept, catalogue)).map { number, item in
                AccessReply.Sampled(
                    item: item, title: catalogue[number]?.title, drawnFor: row.item, timestamp: row.timestamp)
            }
        }
        return all.isEmpty ? nil : all
    }
}
