import Crypto
import Files
import Messages
import Recommendation

extension LedgerService {
    /// What a worker seals the shard with on its disk.
    ///
    /// Derived from a key that lasts as long as this process, and as if every prompt were somebody else's: what a worker
    /// keeps opens until the coordinator is started again.
    func shardKeys(shard: Int, manifest: ShardManifest) -> ShardKeys {
        let root = processKey.derived(for: "shard \(shard)")
        let people = manifest.entries.map { entry in
            let key = root.derived(for: "prompt \(entry.id)")
            return PersonKey(name: key.derived(for: "name").number, key: key.rawBytes)
        }
        return ShardKeys(
            shard: root.derived(for: "manifest \(manifest.digest)").rawBytes, people: people,
            owners: Array(people.indices))
    }
}

extension SymmetricKey {
    /// Its first eight bytes.
    fileprivate var number: UInt64 { rawBytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
