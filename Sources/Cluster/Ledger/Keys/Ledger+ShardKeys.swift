import Crypto
import Files
import Foundation
import GRDB
import Messages

extension Ledger {
    /// What a worker seals a shard with on its disk, for the shard's present manifest.
    ///
    /// A person's prompts of a shard are sealed under a key that comes from the person's and the shard's number, so that two
    /// shards do not tell that they have somebody in common. A shard that has no key yet gets one; it is durable when this
    /// returns.
    package func shardKeys(shard: Int) throws -> ShardKeys {
        try requireShard(shard)
        try requireSameFiles()
        let keys = try writingKeys { try shardKeys(shard: shard, $0) }
        if transaction == nil {
            obsoleteKeys += keyChanges.obsolete
            try destroyObsoleteKeys()
        }
        return keys
    }

    private func shardKeys(shard: Int, _ db: Database) throws -> ShardKeys {
        var people: [SymmetricKey] = []
        var prompts: [(name: String, owner: Int)] = []
        var last: Int64?
        try forEachPrompt(of: .shard(shard), db) { known, prompt in
            if last != known.id {
                last = known.id
                people.append(known.key)
            }
            prompts.append((prompt.id, people.count - 1))
        }
        // The first in the order of the manifest comes first.
        prompts.sort { $0.name < $1.name }
        var places: [Int: Int] = [:]
        let owners = prompts.map { prompt in
            let place = places[prompt.owner] ?? places.count
            places[prompt.owner] = place
            return place
        }
        let ordered = places.sorted { $0.value < $1.value }.map { people[$0.key] }
        let own = try Row.fetchOne(
            db, sql: "SELECT slot, key FROM shards WHERE shard = ? AND slot IS NOT NULL", arguments: [shard])
        let reference = try own.map { try KeyReference(row: $0, in: "shards") }
        var shardKey = try reference.flatMap(livingKey)

        if shardKey == nil {
            let new = try takeKey()
            // Its slot is damaged, and what is left of the key lies there.
            if let reference { keyChanges.obsolete.append(reference) }
            try db.execute(
                sql: "UPDATE shards SET slot = ?, key = ? WHERE shard = ?",
                arguments: [new.reference.slot, new.reference.id, shard])
            shardKey = new.key
        }
        guard let shardKey else { throw LedgerError.storage(path: keys.folder.path, reason: "no key was made") }
        return ShardKeys(
            shard: shardKey.derived(for: "what is kept of shard \(shard)").rawBytes,
            people: ordered.map { person in
                let key = person.derived(for: "prompts of shard \(shard)")
                return PersonKey(name: key.derived(for: "name").firstNumber, key: key.rawBytes)
            }, owners: owners)
    }
}

extension SymmetricKey {
    /// Its first eight bytes.
    fileprivate var firstNumber: UInt64 { rawBytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
