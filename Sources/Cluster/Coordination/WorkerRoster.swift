import Messages

/// All workers that matter: the live ones, and those away that may still hold data. Sorted by id.
struct WorkerRoster: Sendable {
    private(set) var workers: [KnownWorker] = []
    /// Ids by connection.
    private var ids: [PeerID: String] = [:]
    private(set) var liveCount = 0
    /// Ids of workers that may hold data of the shard, sorted; by shard.
    private var holders: [Int: [String]] = [:]
    /// Ids of workers that have the adapter in memory, sorted; by content name.
    private(set) var adapterHolders: [String: [String]] = [:]
    /// Shards of which a worker's copy changed, and workers that came or went. Whoever reads them empties them.
    var touchedShards: [Int] = []
    var touchedWorkers: [String] = []

    subscript(id: String) -> KnownWorker? {
        get {
            index(of: id).map { workers[$0] }
        }
        set {
            let position = position(of: id)
            let known = position < workers.count && workers[position].id == id
            let (before, adapters) = known ? (workers[position].peer, workers[position].adapters) : (nil, [])
            switch (known, newValue) {
            case (true, .some(let worker)): workers[position] = worker
            case (true, .none):
                touch(workers[position].copies.map(\.shard), of: id, isGone: true)
                workers.remove(at: position)
            case (false, .some(let worker)): workers.insert(worker, at: position)
            case (false, .none): return
            }
            note(id, at: newValue == nil ? nil : position, before, adapters)
        }
    }

    var live: [KnownWorker] { workers.filter(\.isLive) }
    var hasLive: Bool { liveCount > 0 }
    var awayCount: Int { workers.count - liveCount }

    func isLive(_ id: String) -> Bool { index(of: id).map { workers[$0].isLive } ?? false }

    /// Ids, sorted.
    func holders(of shard: Int) -> [String] { holders[shard] ?? [] }

    /// What the worker's disk may hold of the shard.
    func copy(of shard: Int, at id: String) -> KnownCopy? { index(of: id).flatMap { workers[$0].copy(of: shard) } }

    /// Whether the worker's copy is known to be exactly this manifest.
    func holds(_ id: String, shard: Int, manifest: String) -> Bool {
        index(of: id).map { workers[$0].holds(shard: shard, manifest: manifest) } ?? false
    }

    /// Ids of those that are here, sorted.
    func liveHolders(of shard: Int) -> [String] { holders[shard]?.filter { isLive($0) } ?? [] }

    /// Whether a live worker is one for which it holds.
    func hasLive(where condition: (borrowing KnownWorker) -> Bool) -> Bool {
        for position in workers.indices where workers[position].isLive && condition(workers[position]) { return true }
        return false
    }

    /// Ids of those for which it holds, sorted.
    func ids(where condition: (borrowing KnownWorker) -> Bool) -> [String] {
        var found: [String] = []
        for position in workers.indices where condition(workers[position]) { found.append(workers[position].id) }
        return found
    }

    func isAnybodyExpected(at now: CoordinatorInstant) -> Bool {
        guard awayCount > 0 else { return false }
        return workers.contains { !$0.isLive && ($0.absence.expectedUntil.map { $0 > now } ?? false) }
    }

    func worker(at peer: PeerID) -> KnownWorker? {
        ids[peer].flatMap { self[$0] }
    }

    mutating func update(_ id: String, _ change: (inout KnownWorker) -> Void) {
        guard let position = index(of: id) else { return }
        let (before, adapters) = (workers[position].peer, workers[position].adapters)
        change(&workers[position])
        note(id, at: position, before, adapters)
    }

    /// Something was sent to the worker at the connection.
    mutating func sent(to peer: PeerID, at now: CoordinatorInstant) {
        if let position = ids[peer].flatMap(index) { workers[position].lastSent = now }
    }

    /// Something came from the worker.
    mutating func heard(_ id: String, at now: CoordinatorInstant) {
        if let position = index(of: id) { workers[position].heard(at: now) }
    }

    /// Workers that were here before this coordinator started, as far as their disks may hold something.
    mutating func remember(_ copies: [HandedCopy], at now: CoordinatorInstant) {
        for copy in copies {
            var worker =
                self[copy.worker]
                ?? KnownWorker(
                    id: copy.worker, name: copy.name, threads: 0, peer: nil, lastHeard: now, lastSent: now)
            worker.mayHold(shard: copy.shard, manifests: [copy.manifest])
            // Whoever was here before a restart is looking for its coordinator already.
            worker.absence.expectedUntil = now.advanced(bySeconds: CoordinatorLimits.reservationSeconds.lowerBound)
            self[copy.worker] = worker
        }
    }

    /// - Parameter position: nil: the worker is gone.
    private mutating func note(_ id: String, at position: Int?, _ before: PeerID?, _ adapters: [String]) {
        let after = position.flatMap { workers[$0].peer }
        if before != after {
            if let before, ids[before] == id { ids[before] = nil }
            if let after { ids[after] = id }
            if (before == nil) != (after == nil) { liveCount += after == nil ? -1 : 1 }
            touchedWorkers.append(id)
        }
        if let position, !workers[position].touched.isEmpty {
            touch(workers[position].takeTouched(), of: id)
        }
        noteAdapters(of: id, before: adapters, after: position.map { workers[$0].adapters } ?? [])
    }

    private mutating func noteAdapters(of id: String, before: [String], after: [String]) {
        guard after != before else { return }
        let isLonger = after.starts(with: before)
        let kept = isLonger ? [] : Set(after)
        for name in isLonger ? [] : before where !kept.contains(name) {
            adapterHolders[name]?.set(id, isIn: false)
            if adapterHolders[name]?.isEmpty == true { adapterHolders[name] = nil }
        }
        for name in isLonger ? after[before.count...] : after[...] {
            adapterHolders[name, default: []].set(id, isIn: true)
        }
    }

    private mutating func touch(_ shards: [Int], of id: String, isGone: Bool = false) {
        touchedShards += shards
        for shard in shards {
            let holds = !isGone && index(of: id).map { workers[$0].copy(of: shard) != nil } ?? false
            if holds || holders[shard] != nil { holders[shard, default: []].set(id, isIn: holds) }
            if holders[shard]?.isEmpty == true { holders[shard] = nil }
        }
    }

    private func index(of id: String) -> Int? {
        let position = position(of: id)
        return position < workers.count && workers[position].id == id ? position : nil
    }

    /// Where the worker is, or belongs: ids are sorted.
    private func position(of id: String) -> Int {
        var (low, high) = (0, workers.count)
        while low < high {
            let middle = (low + high) / 2
            if workers[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
