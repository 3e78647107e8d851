import Recommendation

/// One person: what is sealed as one record. Prompts, histories and lineage are computed from it.
struct Person: Equatable, Sendable {
    /// One interaction, with what of it cannot be computed.
    struct Kept: Equatable, Sendable {
        /// Its number in the catalogue.
        var item: Int64
        /// `Interaction.timestamp`
        var timestamp: Int64
        var rating: Double
        /// `Interaction.ordinal`
        var ordinal: Int64
        /// Recorded at import, where the protocol fixes it for the target.
        var split: Split?
        /// Where the training prompt with this target lies, under a partition that deals prompts out by their content.
        var shard: Int?
        /// Adapters that saw it in prompts that an import replaced since.
        var seen: [Seen] = []
        /// Items that an import drew for it (`NegativePool`): targets that the person is taken not to like, and nothing that the
        /// person did. Numbers of the catalogue, in the order drawn.
        var negatives: [Int64] = []
    }

    /// A shard's adapter, for as long as the shard's epoch is this one.
    struct Seen: Hashable, Sendable {
        var shard: Int
        var epoch: Int64
    }

    /// Orders people by their first appearance: the number of the import, then the place in its files.
    struct Appearance: Equatable, Sendable {
        var `import`: Int64
        var ordinal: Int64
    }

    /// As it stands in the sources.
    var name: String
    var appearance: Appearance
    /// The slice of its shard that the person was dealt to by an import that said so, from 1; nil: by the hash.
    var slice: Int? = nil
    /// By timestamp, then ordinal, then arrival.
    var interactions: [Kept]

    /// Numbers of all items that the record names, as often as it does.
    var itemsNamed: [Int64] {
        var items = interactions.map(\.item)
        for kept in interactions where !kept.negatives.isEmpty { items += kept.negatives }
        return items
    }
}
