/// APA's balanced assignment to fixed centres (arXiv 2404.10327), for members of one prompt or of several.
///
/// A shard has room up to t prompts, the level at which all prompts would fill the shards evenly. All (member, shard) pairs
/// are scanned by rising cosine distance, equal distances by key and shard; a member goes to the shard of its first pair
/// that has room for all its prompts. With members of one prompt and empty shards that is the paper's scan, t = ⌈n/K⌉.
///
/// Members with more than t prompts (users with many) come before the scan, the largest first, each to the emptiest shard;
/// t is then found anew for the rest. Members that fit nowhere come after it, again the largest first, each to the
/// emptiest shard; of equally empty shards the nearest. So every member gets a shard, and a shard exceeds the level only
/// by a part of one member.
struct BalancedAssignment {
    /// A sample, or a user with several.
    struct Member {
        var key: String
        var prompts: Int
        /// `[dimension]`.
        var embedding: [Float]
    }

    private let prompts: [Int]
    /// `[members, shards]`.
    private let distances: [Float]
    private var loads: [Int]
    private var shards: [Int?]

    /// The shard of each member, in the order of the members, which must be sorted by key.
    ///
    /// - Parameters:
    ///   - centres: `[shards, dimension]`.
    ///   - loads: prompts that each shard holds already.
    static func shards(of members: [Member], centres: [Float], dimension: Int, loads: [Int]) -> [Int] {
        var assignment = BalancedAssignment(members: members, centres: centres, dimension: dimension, loads: loads)
        let bySize = members.indices.sorted { (members[$1].prompts, $0) < (members[$0].prompts, $1) }
        for member in bySize {
            guard members[member].prompts > assignment.level else { break }
            assignment.giveToEmptiest(member)
        }
        assignment.scan()
        for member in bySize where assignment.shards[member] == nil { assignment.giveToEmptiest(member) }
        return assignment.shards.map { $0 ?? 0 }
    }

    private init(members: [Member], centres: [Float], dimension: Int, loads: [Int]) {
        prompts = members.map(\.prompts)
        let centres = Vectors.normalised(centres, dimension: dimension)
        distances = members.flatMap { member in
            let embedding = Vectors.normalised(member.embedding, dimension: dimension)
            return loads.indices.map { 1 - Vectors.dot(embedding, centres, row: $0, dimension: dimension) }
        }
        self.loads = loads
        shards = [Int?](repeating: nil, count: members.count)
    }

    /// The number of prompts up to which shards fill evenly; those that hold more already take no part.
    private var level: Int {
        Self.level(of: loads, waiting: shards.indices.reduce(0) { $0 + (shards[$1] == nil ? prompts[$1] : 0) })
    }

    /// - Parameter waiting: prompts that are still to be dealt out.
    static func level(of loads: [Int], waiting: Int) -> Int {
        var open = loads.sorted()
        while let fullest = open.last {
            let level = (open.reduce(waiting, +) + open.count - 1) / open.count
            if fullest <= level { return level }
            open.removeLast()
        }
        return waiting
    }

    private mutating func scan() {
        let level = level
        let pairs = distances.indices.sorted { (distances[$0], $0) < (distances[$1], $1) }
        for pair in pairs {
            let (member, shard) = pair.quotientAndRemainder(dividingBy: loads.count)
            if shards[member] == nil, loads[shard] + prompts[member] <= level { give(member, to: shard) }
        }
    }

    private mutating func giveToEmptiest(_ member: Int) {
        let first = member * loads.count
        let emptiest = loads.indices.min { (loads[$0], distances[first + $0]) < (loads[$1], distances[first + $1]) }
        give(member, to: emptiest ?? 0)
    }

    private mutating func give(_ member: Int, to shard: Int) {
        shards[member] = shard
        loads[shard] += prompts[member]
    }
}
