/// Who owns which shard: follows from who owned it, who holds it and who is there. Kept up by what changes.
///
/// Balanced: no worker owns two shards more than another, neither of all shards nor of those that wait for training,
/// unless the only shards that could move are being worked on. A worker that holds a shard's data is preferred, and
/// a shard moves only where balance asks for it.
struct ShardPlacement: Sendable {
    struct Shard: Equatable, Sendable {
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

    /// Live workers, sorted; and, in the same order, how many shards each has, how many of these wait for training, and which
    /// they are, by index.
    private var workers: [String] = []
    private var loads: [Int] = []
    private var wantedLoads: [Int] = []
    private var owned: [[Int]] = []
    /// By index; nil: it is not to be placed.
    private var shards: [Shard?] = []
    /// Shards that nobody owns, because nobody is here who may.
    private var homeless: Set<Int> = []
    /// Shards whose owner is another one than before, while they are placed.
    private var moved: Set<Int> = []

    /// A worker came, or went: whoever it owned shards of hands them in again.
    mutating func set(_ worker: String, isHere: Bool) {
        let position = workers.lowerBound(worker)
        let isKnown = position < workers.count && workers[position] == worker
        if isHere, !isKnown {
            workers.insert(worker, at: position)
            loads.insert(0, at: position)
            wantedLoads.insert(0, at: position)
            owned.insert([], at: position)
        } else if !isHere, isKnown {
            workers.remove(at: position)
            loads.remove(at: position)
            wantedLoads.remove(at: position)
            owned.remove(at: position)
        }
    }

    /// Places shards that changed, and moves what balance asks for.
    ///
    /// - Parameter changed: by index; nil: not to be placed any more.
    /// - Returns: who owns those whose owner may be another one now, by index; nil: nobody.
    mutating func place(_ changed: [(index: Int, shard: Shard?)]) -> [(index: Int, owner: String?)] {
        moved = []
        for (index, shard) in changed {
            while shards.count <= index { shards.append(nil) }
            // Where it is followed from this and from loads of then: nobody who looks again moves it, whatever the loads are now.
            if let shard, shards[index] == shard, isCounted(shard) { continue }
            count(index, by: -1)
            shards[index] = shard
            count(index, by: 1)
            moved.insert(index)
        }
        moved.formUnion(homeless)
        for index in moved.sorted() {
            homeless.remove(index)
            guard let shard = shards[index] else { continue }
            // One after the other, among the others at their places.
            count(index, by: -1)
            let owner = preferred(shard)
            shards[index]?.owner = owner
            if owner != nil { count(index, by: 1) } else { homeless.insert(index) }
        }
        for index in homeless.sorted() where !workers.isEmpty {
            homeless.remove(index)
            let owner = leastLoaded(avoiding: shards[index]?.avoid)
            shards[index]?.owner = owner
            if owner != nil { count(index, by: 1) } else { homeless.insert(index) }
        }
        balance(wanted: true)
        balance(wanted: false)
        return moved.sorted().map { ($0, shards[$0]?.owner) }
    }

    private func position(of worker: String) -> Int? {
        let position = workers.lowerBound(worker)
        return position < workers.count && workers[position] == worker ? position : nil
    }

    /// Whether its owner is here and has it.
    private func isCounted(_ shard: Shard) -> Bool {
        shard.owner.flatMap(position).map { owned[$0].contains(shard.index) } ?? false
    }

    private mutating func count(_ index: Int, by number: Int) {
        guard let shard = shards[index], let position = shard.owner.flatMap(position) else { return }
        // A worker that went and came back does not own what it did.
        guard number > 0 || owned[position].contains(index) else { return }
        loads[position] += number
        if shard.wanted { wantedLoads[position] += number }
        owned[position].set(index, isIn: number > 0)
    }

    private func preferred(_ shard: Shard) -> String? {
        func usable(_ worker: String) -> Bool {
            position(of: worker) != nil && (worker != shard.avoid || workers.count == 1)
        }
        func load(_ worker: String) -> Int { position(of: worker).map { loads[$0] } ?? 0 }
        let owner = shard.owner.flatMap { position(of: $0) == nil ? nil : $0 }
        if let owner, shard.busy { return owner }
        let holders = shard.holders.filter(usable)
        if let owner, holders.contains(owner) { return owner }
        if let holder = holders.min(by: { load($0) < load($1) }) {
            // Balance gave it to its owner, who is about to get the data: it would take it from the holder again.
            if let owner, usable(owner), load(holder) > load(owner) { return owner }
            return holder
        }
        if let owner, usable(owner) { return owner }
        return shard.partial.first(where: usable)
    }

    private func leastLoaded(avoiding avoid: String?) -> String? {
        // min(by:) takes the first of equals, and workers are sorted.
        workers.indices.filter { workers[$0] != avoid || workers.count == 1 }.min { loads[$0] < loads[$1] }
            .map { workers[$0] }
    }

    /// Moves shards from the most to the least loaded until they differ by one at most, or nothing can move: of those that wait
    /// for training, or of the others with a look at all that a worker has.
    private mutating func balance(wanted: Bool) {
        for _ in shards.indices {
            let loads = wanted ? wantedLoads : self.loads
            guard let lowest = loads.min(), let highest = loads.max(), highest > lowest + 1,
                let target = loads.firstIndex(of: lowest)
            else { return }
            // From the most loaded first; one whose shards cannot move is passed over.
            let givers = loads.indices.filter { loads[$0] > lowest + 1 }
                .sorted { (loads[$1], $0) < (loads[$0], $1) }
            var moving: Int?
            for giver in givers where moving == nil {
                moving = shardToMove(from: giver, to: workers[target], wanted: wanted)
            }
            guard let moving else { return }
            count(moving, by: -1)
            shards[moving]?.owner = workers[target]
            count(moving, by: 1)
            moved.insert(moving)
        }
    }

    private func shardToMove(from giver: Int, to receiver: String, wanted: Bool) -> Int? {
        owned[giver].compactMap { shards[$0] }.filter { $0.wanted == wanted && !$0.busy && $0.avoid != receiver }
            .min { cost($0, to: receiver) < cost($1, to: receiver) }?.index
    }

    /// Lower is better: data the receiver has need not travel; data the owner lacks has to travel anyway.
    private func cost(_ shard: Shard, to receiver: String) -> Int {
        if shard.holders.contains(receiver) { return 0 }
        if shard.partial.contains(receiver) { return 1 }
        return shard.owner.map { shard.partial.contains($0) } == true ? 3 : 2
    }
}
