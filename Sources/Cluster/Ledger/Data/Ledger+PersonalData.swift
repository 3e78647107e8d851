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
            guard let known = try spellings(of: name.normalised, in: "users", db).first,
                let user = try UserRecord(db, user: known.id)
            else { throw LedgerError.unknownUser(name) }
            let builder = try Meta.promptConfiguration.value(PromptConfiguration.self, db).map(PromptBuilder.init)
            let rows = try PromptRow.all(db, user: user.id)
            let places = Dictionary(rows.map { ($0.id, $0.shard) }, uniquingKeysWith: { first, _ in first })
            let earlier = try Set(
                Int.fetchAll(
                    db,
                    sql: """
                        SELECT shard FROM seen JOIN interactions ON interactions.id = seen.interaction WHERE user = :user
                        UNION SELECT shard FROM correction_seen
                        JOIN interactions ON interactions.id = correction_seen.interaction WHERE user = :user
                        """, arguments: ["user": user.id]))
            let own = rows.filter { $0.split == .train }.compactMap(\.shard)
            return AccessReply(
                user: user.token,
                interactions: user.interactions.map { row in
                    AccessReply.Rating(
                        item: row.item, title: user.titles[row.item], timestamp: row.timestamp, rating: row.rating)
                },
                prompts: try builder.map { builder in
                    try user.prompts(builder).map { AccessReply.Prompt($0.prompt, shard: places[$0.id] ?? nil) }
                } ?? [],
                shards: try earlier.union(own).sorted().map { shard in
                    let adapter = adapters.first { $0.shard == shard }
                    return AccessReply.Shard(
                        shard: shard, prompts: own.count { $0 == shard }, adapter: adapter?.name,
                        isCurrent: try adapter?.manifest == shardState(shard, db).manifest,
                        sawEarlier: earlier.contains(shard), copies: try copies(ofShard: shard, db))
                })
        }
    }
}
