/// Who owns which shard: follows from who owned it, who holds it, who is there and how much each gets done. Kept up by what
/// changes. No adapter's bytes depend on it.
///
/// Balanced: no worker owns so many shards more than another that one of them would be done sooner there, neither of all shards
/// nor of those that wait for training, unless the only shards that could move are being worked on. Among workers that are alike
/// none owns two more than another. A worker that holds a shard's data is preferred, and a shard moves only where balance asks
/// for it. Who takes no new work keeps at most what it has.
struct ShardPlacement: Sendable {
    struct Shard: Equatable, Sendable {
        var index: Int
        var owner: String?
        /// The owner is working on it, or alone can do at once what is to be done: it does not move.
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
    private var seats: [PlacementSeat] = []
    /// Positions of those that may get shards.
    private var working: [Int] = []
    /// By index; nil: it is not to be placed.
    private var shards: [Shard?] = []
    /// Shards that nobody owns, because nobody is here who may.
    private var homeless: Set<Int> = []
    /// Shards whose owner is another one than before, while they are placed.
    private var moved: Set<Int> = []

    /// A worker came, went or takes another part: whoever it owned shards of hands them in again.
    ///
    /// - Parameter stance: nil: it is away.
    mutating func set(_ worker: String, _ stance: WorkerStance?, _ capacity: WorkerCapacity = WorkerCapacity()) {
        let position = lowerBound(worker)
        let isKnown = position < seats.count && seats[position].worker == worker
        if let stance {
            if isKnown {
                (seats[position].stance, seats[position].capacity) = (stance, capacity)
            } else {
                seats.insert(PlacementSeat(worker: worker, stance: stance, capacity: capacity), at: position)
            }
        } else if isKnown {
            seats.remove(at: position)
        }
        seats.setShares()
        working = seats.indices.filter { seats[$0].stance == .works }
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
            if let shard, shards[index] == shard, isCounted(shard), mayStay(shard) { continue }
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
        for index in homeless.sorted() where !seats.isEmpty {
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
        let position = lowerBound(worker)
        return position < seats.count && seats[position].worker == worker ? position : nil
    }

    private func lowerBound(_ worker: String) -> Int {
        var (low, high) = (0, seats.count)
        while low < high {
            let middle = (low + high) / 2
            if seats[middle].worker < worker { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func stance(of worker: String) -> WorkerStance? { position(of: worker).map { seats[$0].stance } }

    /// Whether its owner is here and has it.
    private func isCounted(_ shard: Shard) -> Bool {
        shard.owner.flatMap(position).map { seats[$0].owned.contains(shard.index) } ?? false
    }

    /// Whether its owner may go on owning it.
    private func mayStay(_ shard: Shard) -> Bool {
        guard let owner = shard.owner, let position = position(of: owner) else { return false }
        switch seats[position].stance {
        case .works: return true
        case .keeps: return shard.busy || (!shard.wanted && shard.holders.contains(owner))
        case .gives: return shard.busy
        }
    }

    private mutating func count(_ index: Int, by number: Int) {
        guard let shard = shards[index], let position = shard.owner.flatMap(position) else { return }
        // A worker that went and came back does not own what it did.
        guard number > 0 || seats[position].owned.contains(index) else { return }
        seats[position].load += number
        if shard.wanted { seats[position].wantedLoad += number }
        seats[position].owned.set(index, isIn: number > 0)
    }

    private func preferred(_ shard: Shard) -> String? {
        func usable(_ worker: String) -> Bool {
            guard stance(of: worker) == .works else { return false }
            return worker != shard.avoid || working.count == 1
        }
        func isLess(_ one: String, than other: String) -> Bool {
            guard let one = position(of: one), let other = position(of: other) else { return false }
            return seats.isLess(one, than: other, wanted: false)
        }
        let owner = shard.owner.flatMap { position(of: $0) == nil ? nil : $0 }
        if let owner, shard.busy { return owner }
        if let owner, stance(of: owner) != .works, mayStay(shard) { return owner }
        let holders = shard.holders.filter(usable)
        if let owner, holders.contains(owner) { return owner }
        if let holder = holders.min(by: { isLess($0, than: $1) }) {
            // Balance gave it to its owner, who is about to get the data: it would take it from the holder again.
            if let owner, usable(owner), isLess(owner, than: holder) { return owner }
            return holder
        }
        if let owner, usable(owner) { return owner }
        // Nobody had it since the start: who holds it and takes nothing new keeps it, as it does what it owns.
        let keeper = shard.wanted ? nil : shard.holders.first { stance(of: $0) == .keeps }
        if let keeper { return keeper }
        return shard.partial.first(where: usable)
    }

    private func leastLoaded(avoiding avoid: String?) -> String? {
        // min(by:) takes the first of equals, and workers are sorted.
        working.filter { seats[$0].worker != avoid || working.count == 1 }
            .min { seats.isLess($0, adding: 1, than: $1, adding: 1, wanted: false) }
            .map { seats[$0].worker }
    }

    /// Moves shards from the most to the least loaded as long as one of them would be done sooner there, or until nothing can
    /// move: of those that wait for training, or of the others with a look at all that a worker has.
    private mutating func balance(wanted: Bool) {
        guard working.count > 1 else { return }
        for _ in shards.indices {
            let least = working.min { seats.isLess($0, adding: 1, than: $1, adding: 1, wanted: wanted) }
            guard let target = least else { return }
            // From the most loaded first; one whose shards cannot move is passed over.
            let givers = working.filter { seats.isLess(target, adding: 1, than: $0, wanted: wanted) }
                .sorted { left, right in
                    if seats.isLess(right, than: left, wanted: wanted) { return true }
                    return !seats.isLess(left, than: right, wanted: wanted) && left < right
                }
            var moving: Int?
            for giver in givers where moving == nil {
                moving = shardToMove(from: giver, to: seats[target].worker, wanted: wanted)
            }
            guard let moving else { return }
            count(moving, by: -1)
            shards[moving]?.owner = seats[target].worker
            count(moving, by: 1)
            moved.insert(moving)
        }
    }

    private func shardToMove(from giver: Int, to receiver: String, wanted: Bool) -> Int? {
        seats[giver].owned.compactMap { shards[$0] }
            .filter { $0.wanted == wanted && !$0.busy && $0.avoid != receiver }
            .min { cost($0, to: receiver) < cost($1, to: receiver) }?.index
    }

    /// Lower is better: data the receiver has need not travel; data the owner lacks has to travel anyway.
    private func cost(_ shard: Shard, to receiver: String) -> Int {
        if shard.holders.contains(receiver) { return 0 }
        if shard.partial.contains(receiver) { return 1 }
        return shard.owner.map { shard.partial.contains($0) } == true ? 3 : 2
    }
}
