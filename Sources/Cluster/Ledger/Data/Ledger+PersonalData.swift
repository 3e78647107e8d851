import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Everything that is kept of a person, and that a forget request would find: interactions, the prompts that follow from
    /// them, the shards and adapters that these reached, the disks that may hold them; rows in imports in progress; what is left of
    /// a damaged record. An import that cannot be read is dropped, as by `forget`.
    ///
    /// - Throws: `LedgerError.unknownUser`.
    package func personalData(user: String, at time: Date = Date()) throws -> AccessReply {
        let (name, adapters) = (user.normalised, try self.adapters())
        return try droppingUnreadableImports(at: time) {
            try read { db in
                var replies = try people(named: name, db).map { try personalData(of: $0, adapters, db) }
                let staged = try stagedData(of: name, db)
                let lookup = lookup(name)
                let damaged =
                    try isDamaged(lookup, db) ? AccessReply.Damaged(shards: try damagedShards(lookup, db)) : nil
                guard !replies.isEmpty || !staged.isEmpty || damaged != nil else { throw LedgerError.unknownUser(user) }
                var reply =
                    replies.isEmpty
                    ? AccessReply(user: name, interactions: [], prompts: [], shards: []) : replies.removeFirst()
                reply.staged = staged.isEmpty ? nil : staged
                reply.damaged = damaged
                reply.spellings = replies.isEmpty ? nil : replies
                return reply
            }
        }
    }

    private func stagedData(of name: String, _ db: Database) throws -> [AccessReply.Staged] {
        let catalogue = try catalogue(db)
        return try importsHolding(name, db).map { importID in
            let rows = try staged(importID, db)?.rows(of: lookup(name)).map(\.interaction) ?? []
            return AccessReply.Staged(
                importID: importID,
                interactions: rows.map { row in
                    let title = catalogue.numbers(of: row.item).first.flatMap { catalogue[$0]?.title }
                    return AccessReply.Rating(
                        item: row.item, title: title, timestamp: row.timestamp, rating: row.rating)
                })
        }
    }

    private func personalData(
        of known: KnownPerson, _ adapters: [AdapterRecord], _ db: Database
    ) throws -> AccessReply {
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
                    isCurrent: try adapter?.manifest == shardState(shard, db).manifest && stage == nil,
                    sawEarlier: earlier.contains(shard), copies: try copies(ofShard: shard, db),
                    stage: stage?.stage, slices: stage?.count)
            })
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
