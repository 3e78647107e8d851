/// A worker that is here, as placement sees it.
struct PlacementSeat: Sendable {
    let worker: String
    var stance: WorkerStance
    var capacity: WorkerCapacity
    /// From 1 to 16, in proportion to what the fastest gets done.
    var share = 16
    /// How many shards it has, and how many of these wait for training.
    var load = 0
    var wantedLoad = 0
    /// Which they are, by index.
    var owned: [Int] = []

    init(worker: String, stance: WorkerStance, capacity: WorkerCapacity) {
        (self.worker, self.stance, self.capacity) = (worker, stance, capacity)
    }

    func load(wanted: Bool) -> Int { wanted ? wantedLoad : load }
}

extension [PlacementSeat] {
    /// How much each may own, from what it gets done: tokens a second where they were measured; where not, its threads, at the
    /// pace of those that were. In steps of half an octave, the first one wider: two runs of one machine differ by a fifth, and
    /// workers that are alike are to be equal.
    mutating func setShares() {
        let measured = filter { $0.capacity.pace != nil }
        let threads = measured.reduce(0) { $0 + Swift.max(1, $1.capacity.threads) }
        let perThread = measured.reduce(0) { $0 + ($1.capacity.pace ?? 0) } / Double(Swift.max(1, threads))
        let paces = map { seat in
            seat.capacity.pace ?? Double(Swift.max(1, seat.capacity.threads)) * (measured.isEmpty ? 1 : perThread)
        }
        guard let fastest = paces.max(), fastest > 0 else { return }
        for position in indices {
            let part = paces[position] / fastest
            self[position].share = Self.steps.first { part > $0.above }?.share ?? 1
        }
    }

    private static var steps: [(above: Double, share: Int)] {
        [(0.71, 16), (0.595, 11), (0.42, 8), (0.297, 6), (0.21, 4), (0.149, 3), (0.105, 2)]
    }

    /// Whether the first, with so many more shards, has fewer than the second, for what each gets done.
    func isLess(_ one: Int, adding more: Int = 0, than other: Int, adding others: Int = 0, wanted: Bool) -> Bool {
        let (left, right) = (self[one].load(wanted: wanted) + more, self[other].load(wanted: wanted) + others)
        return left * self[other].share < right * self[one].share
    }
}
