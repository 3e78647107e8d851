import Foundation
import Messages
import Recommendation
import Unlearning

/// How far training prompts without a shard have come on their way to one. What has to be computed needs nothing of the
/// ledger, which does other things in between; what it writes is written a portion at a time. Whatever happened meanwhile
/// counts: nobody is given a place who has one or is gone.
package enum PartitionStep: Sendable {
    /// To be continued by the ledger.
    case gathering(UndealtPrompts)
    /// To be dealt out, wherever.
    case dealing(UndealtPrompts)
    /// To be continued by the ledger.
    case placing(DealtPrompts)
    /// Shards whose manifest is another one now, in order.
    case done([Int])

    /// Whether what was computed is in vain: it begins again, and nobody was given a place since the last beginning. Otherwise less is
    /// left to do, however often it begins again.
    package func beginsAgain(after step: PartitionStep) -> Bool {
        if case .placing(let dealt) = step, case .gathering = self { dealt.placed == 0 } else { false }
    }
}

/// Training prompts without a shard, with what dealing them out takes.
package struct UndealtPrompts: Sendable {
    struct Entry: Sendable {
        var person: Int64
        var target: InteractionKey
        var sample: PartitionSample
        /// With those that were drawn for it.
        var prompts: Int
    }

    let method: PartitionMethod
    let seed: UInt64
    /// Whose data it is: of the last forget request, when this was begun.
    let lastForget: Int64
    var entries: [Entry] = []
    /// `[entries, width]`
    var vectors: [Float] = []
    var width = 0
    /// Prompts that have no embedding.
    var missing = 0
    /// Up to whom people were gone through.
    var last = Int64.min
    /// Prompts of every shard.
    var loads: [Int] = []
    /// As recorded; nil: the first time.
    var centres: [Float]?
    /// Which record it is.
    var record: KeyReference?
    /// Shards whose manifest is another one already.
    var changed: Set<Int> = []

    /// A pure function of what was gathered.
    package func dealt() throws -> DealtPrompts {
        let dealt = try BalancedPartition.deal(
            method: method, samples: entries.map(\.sample), prompts: entries.map(\.prompts), embeddings: vectors,
            dimension: width, seed: seed, centres: centres, loads: loads)
        let shards = Dictionary(dealt.assignments.map { ($0.key, $0.shard) }, uniquingKeysWith: { first, _ in first })
        var places: [Int64: [InteractionKey: Int]] = [:]
        for entry in entries {
            guard let shard = shards[method == .user ? entry.sample.user : entry.sample.id] else { continue }
            places[entry.person, default: [:]][entry.target] = shard
        }
        let people = Dictionary(
            entries.map { (method == .user ? $0.sample.user : $0.sample.id, $0.person) },
            uniquingKeysWith: { first, _ in first })
        return DealtPrompts(
            places: places.sorted { $0.key < $1.key }.map { DealtPrompts.Place(person: $0.key, shards: $0.value) },
            lastForget: lastForget, width: width, centres: dealt.centres,
            parts: dealt.sources.map { Set($0.compactMap { people[$0] }).sorted() }, record: record, changed: changed)
    }
}

/// Training prompts that were dealt out, and are to be written down.
package struct DealtPrompts: Sendable {
    struct Place: Sendable {
        var person: Int64
        var shards: [InteractionKey: Int]
    }

    /// By person.
    let places: [Place]
    let lastForget: Int64
    let width: Int
    let centres: [Float]
    /// Whose embeddings each centre was made of; empty where they were recorded before.
    let parts: [[Int64]]
    /// Where the centres stand in the ledger; nil: not yet.
    var record: KeyReference?
    /// People who were gone through.
    var next = 0
    /// Prompts that were given a shard.
    var placed = 0
    var changed: Set<Int>
}
