import Recommendation

/// A training prompt's entry in the manifest of its shard.
package struct PlacedEntry: Sendable {
    package var shard: Int
    package var entry: ShardManifest.Entry
}

extension Ledger {
    /// For the manifests of all shards, read in one pass over everybody (`goOn`).
    package func manifestsReading() -> PeopleReading<[PlacedEntry]> {
        PeopleReading { known, context in
            try context.prompts(of: known.person, shard: known.shard).compactMap { prompt in
                prompt.shard.map {
                    PlacedEntry(
                        shard: $0, entry: ShardManifest.Entry(id: prompt.prompt.id, digest: prompt.digest))
                }
            }
        }
    }
}
