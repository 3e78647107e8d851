import Recommendation

/// Deals members to fixed centres one after another, for more of them than (member, shard) pairs can be sorted
/// (`BalancedAssignment`): time and memory are those of a single pass.
///
/// Members with more prompts than the level to which all shards fill evenly come first, the largest first, each to the
/// emptiest shard. The others come in the order of a keyed hash of their keys, each to the nearest of the centres (cosine
/// distance, of equally near ones the first) whose shard has room up to the level; where none has, to the emptiest. So every
/// member gets a shard, and a shard exceeds the level only by a part of one member.
struct StreamedAssignment {
    private let centres: [Float]
    private let dimension: Int
    private var loads: [Int]

    /// The shard of each member, in the order of the members.
    ///
    /// - Parameters:
    ///   - centres: `[shards, dimension]`.
    ///   - loads: prompts that each shard holds already.
    static func shards(
        of members: [BalancedAssignment.Member], centres: [Float], dimension: Int, loads: [Int], seed: UInt64
    ) -> [Int] {
        var assignment = StreamedAssignment(
            centres: Vectors.normalised(centres, dimension: dimension), dimension: dimension, loads: loads)
        var shards = [Int](repeating: 0, count: members.count)
        var waiting = members.reduce(0) { $0 + $1.prompts }
        var level = BalancedAssignment.level(of: loads, waiting: waiting)
        let hashes = members.map { FieldHash.number(["deal", String(seed), $0.key]) }
        let bySize = members.indices.sorted {
            (members[$1].prompts, members[$0].key) < (members[$0].prompts, members[$1].key)
        }
        var large = 0
        while large < bySize.count, members[bySize[large]].prompts > level {
            let member = bySize[large]
            shards[member] = assignment.give(members[member], upTo: nil)
            waiting -= members[member].prompts
            level = BalancedAssignment.level(of: assignment.loads, waiting: waiting)
            large += 1
        }
        for member in bySize[large...].sorted(by: { (hashes[$0], members[$0].key) < (hashes[$1], members[$1].key) }) {
            shards[member] = assignment.give(members[member], upTo: level)
        }
        return shards
    }

    /// - Parameter level: nil: the emptiest shard.
    private mutating func give(_ member: BalancedAssignment.Member, upTo level: Int?) -> Int {
        let embedding = Vectors.normalised(member.embedding, dimension: dimension)
        var nearest: (shard: Int, distance: Float)?
        var emptiest = (shard: 0, distance: Float.infinity)
        for shard in loads.indices {
            let distance = 1 - Vectors.dot(embedding, centres, row: shard, dimension: dimension)
            if let level, loads[shard] + member.prompts <= level, nearest.map({ distance < $0.distance }) ?? true {
                nearest = (shard, distance)
            }
            if (loads[shard], distance) < (loads[emptiest.shard], emptiest.distance) { emptiest = (shard, distance) }
        }
        let shard = nearest?.shard ?? emptiest.shard
        loads[shard] += member.prompts
        return shard
    }
}
