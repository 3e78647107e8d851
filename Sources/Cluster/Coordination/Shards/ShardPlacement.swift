/// Who owns which shard: a pure function of who owned it, who holds it and who is there.
///
/// Balanced: no worker owns two shards more than another, neither of all shards nor of those that wait for training,
/// unless the only shards that could move are being worked on. A worker that holds a shard's data is preferred, and
/// a shard moves only where balance asks for it.
struct ShardPlacement {
    struct Shard {
        var index: Int
        var owner: String?
        /// The owner is working on it: it does not move.
        var busy: Bool
        /// It waits for training.
        var wanted: Bool
        /// Workers whose copy is exactly the current manifest, sorted.
        var holders: [String]
        /// Workers that have some of its data, sorted.
        var partial: [String]
        /// A worker that failed at it lately.
        var avoid: String?
    }

    /// Live workers, sorted.
    let workers: [String]
    private(set) var owners: [Int: String] = [:]
    private let shards: [Shard]
    private let live: Set<String>
    /// Shards of each worker, as far as they are placed.
    private var loads: [String: Int] = [:]

    /// - Parameter shards: those that have prompts, by index.
    init(shards: [Shard], workers: [String]) {
        self.shards = shards
        self.workers = workers
        live = Set(workers)
        guard !workers.isEmpty else { return }
        var homeless: [Shard] = []
        for shard in shards {
            if let owner = preferred(shard) { place(shard, with: owner) } else { homeless.append(shard) }
        }
        for shard in homeless {
            if let owner = leastLoaded(avoiding: shard.avoid) { place(shard, with: owner) }
        }
        balance(among: { $0.wanted }, movable: { $0.wanted && !$0.busy })
        balance(among: { _ in true }, movable: { !$0.wanted && !$0.busy })
    }

    private func preferred(_ shard: Shard) -> String? {
        func usable(_ worker: String) -> Bool {
            live.contains(worker) && (worker != shard.avoid || workers.count == 1)
        }
        let owner = shard.owner.flatMap { live.contains($0) ? $0 : nil }
        if let owner, shard.busy { return owner }
        let holders = shard.holders.filter(usable)
        if let owner, holders.contains(owner) { return owner }
        if let holder = holders.min(by: { loads[$0, default: 0] < loads[$1, default: 0] }) { return holder }
        if let owner, usable(owner) { return owner }
        return shard.partial.first(where: usable)
    }

    private mutating func place(_ shard: Shard, with owner: String) {
        owners[shard.index] = owner
        loads[owner, default: 0] += 1
    }

    private func leastLoaded(avoiding avoid: String?) -> String? {
        let candidates = workers.filter { $0 != avoid || workers.count == 1 }
        // min(by:) takes the first of equals, and workers are sorted.
        return candidates.min { loads[$0, default: 0] < loads[$1, default: 0] }
    }

    /// Moves shards from the most to the least loaded until they differ by one at most, or nothing can move.
    private mutating func balance(among counts: (Shard) -> Bool, movable: (Shard) -> Bool) {
        var counted: [String: Int] = [:]
        for shard in shards where counts(shard) { owners[shard.index].map { counted[$0, default: 0] += 1 } }
        for _ in 0..<shards.count {
            let loads = workers.map { counted[$0, default: 0] }
            guard let lowest = loads.min(), let target = loads.firstIndex(of: lowest) else { return }
            let receiver = workers[target]
            // From the most loaded first; one whose shards cannot move is passed over.
            let givers = workers.indices.filter { loads[$0] > lowest + 1 }
                .sorted { (loads[$1], $0) < (loads[$0], $1) }
            var moving: Shard?
            for giver in givers where moving == nil {
                moving = shardToMove(from: workers[giver], to: receiver, movable)
            }
            guard let moving, let giver = owners[moving.index] else { return }
            owners[moving.index] = receiver
            // What moves counts: what may move is among what is counted.
            counted[giver, default: 0] -= 1
            counted[receiver, default: 0] += 1
        }
    }

    private func shardToMove(from giver: String, to receiver: String, _ movable: (Shard) -> Bool) -> Shard? {
        shards.filter { owners[$0.index] == giver && movable($0) && $0.avoid != receiver }
            .min { cost($0, to: receiver) < cost($1, to: receiver) }
    }

    /// Lower is better: data the receiver has need not travel; data the owner lacks has to travel anyway.
    private func cost(_ shard: Shard, to receiver: String) -> Int {
        if shard.holders.contains(receiver) { return 0 }
        if shard.partial.contains(receiver) { return 1 }
        return owners[shard.index].map { shard.partial.contains($0) } == true ? 3 : 2
    }
}
