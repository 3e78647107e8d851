import Crypto
import Files
import Foundation
import GRDB
import Messages

extension Ledger {
    /// What a worker seals a shard with on its disk, for the shard's present manifest.
    ///
    /// A person's prompts of a shard are sealed under a key that comes from the person's and the shard's number, so that two
    /// shards do not tell that they have somebody in common. People and shards that have no key yet get one; all are durable
    /// when this returns.
    package func shardKeys(shard: Int) throws -> ShardKeys {
        try requireShard(shard)
        try requireSameFiles()
        // What the coordinator's logic is told does not change by it: the snapshot stays.
        return try writingKeys { try shardKeys(shard: shard, $0) }
    }

    private func shardKeys(shard: Int, _ db: Database) throws -> ShardKeys {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT prompts.user, users.slot, users.key FROM prompts JOIN users ON users.id = prompts.user
                WHERE split = 'train' AND prompts.shard = ? ORDER BY name
                """, arguments: [shard])
        var places: [Int64: Int] = [:]
        var people: [(user: Int64, key: SymmetricKey?)] = []
        var owners: [Int] = []
        owners.reserveCapacity(rows.count)
        for row in rows {
            let user: Int64 = try row.value("user", in: "prompts")
            if let place = places[user] {
                owners.append(place)
                continue
            }
            places[user] = people.count
            owners.append(people.count)
            let hasKey = try row.optional("slot", in: "users") as Int64? != nil
            people.append((user, hasKey ? try livingKey(KeyReference(row: row, in: "users")) : nil))
        }
        let own = try Row.fetchOne(
            db, sql: "SELECT slot, key FROM shards WHERE shard = ? AND slot IS NOT NULL", arguments: [shard])
        var shardKey = try own.flatMap { try livingKey(KeyReference(row: $0, in: "shards")) }

        let without = people.indices.filter { people[$0].key == nil }
        var made = try makeKeys(without.count + (shardKey == nil ? 1 : 0))
        let place = try db.cachedStatement(sql: "UPDATE users SET slot = ?, key = ? WHERE id = ?")
        for index in without {
            guard let new = made.popLast() else { continue }
            try place.execute(arguments: [new.reference.slot, new.reference.id, people[index].user])
            people[index].key = new.key
        }
        if shardKey == nil, let new = made.popLast() {
            try db.execute(
                sql: "UPDATE shards SET slot = ?, key = ? WHERE shard = ?",
                arguments: [new.reference.slot, new.reference.id, shard])
            shardKey = new.key
        }
        guard let shardKey else { throw LedgerError.storage(path: keys.folder.path, reason: "no key was made") }
        return ShardKeys(
            shard: shardKey.derived(for: "what is kept of shard \(shard)").rawBytes,
            people: people.map { person in
                let key = (person.key ?? shardKey).derived(for: "prompts of shard \(shard)")
                return PersonKey(name: key.derived(for: "name").firstNumber, key: key.rawBytes)
            }, owners: owners)
    }
}

extension SymmetricKey {
    /// Its first eight bytes.
    fileprivate var firstNumber: UInt64 { rawBytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
