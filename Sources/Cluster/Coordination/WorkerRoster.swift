import Messages

/// All workers that matter: the live ones, and those away that may still hold data. Sorted by id.
struct WorkerRoster: Sendable {
    private(set) var workers: [KnownWorker] = []
    /// Ids by connection.
    private var ids: [PeerID: String] = [:]
    /// Ids of those that were lost and may be heard again, by the connection on which they may.
    private var keptIDs: [PeerID: String] = [:]
    /// Ids by the connection before the present one.
    private var replacedIDs: [PeerID: String] = [:]
    private(set) var liveCount = 0
    /// Of those the ones that take new work.
    private(set) var workingCount = 0
    /// Ids of live ones that are to leave, sorted.
    private(set) var leaving: [String] = []
    /// Ids of workers that may hold data of the shard, sorted; by shard.
    private var holders: [Int: [String]] = [:]
    /// Ids of workers that have the adapter in memory, sorted; by content name.
    private(set) var adapterHolders: [String: [String]] = [:]
    /// Shards of which a worker's copy changed, and workers that came or went. Whoever reads them empties them.
    var touchedShards: [Int] = []
    var touchedWorkers: [String] = []
    /// Workers that were measured to be faster or slower.
    var touchedCapacities: [String] = []

    subscript(id: String) -> KnownWorker? {
        get {
            index(of: id).map { workers[$0] }
        }
        set {
            let position = position(of: id)
            let known = position < workers.count && workers[position].id == id
            let before = known ? Before(workers[position]) : Before()
            switch (known, newValue) {
            case (true, .some(let worker)): workers[position] = worker
            case (true, .none):
                touch(workers[position].copies.map(\.shard), of: id, isGone: true)
                workers.remove(at: position)
            case (false, .some(let worker)): workers.insert(worker, at: position)
            case (false, .none): return
            }
            note(id, at: newValue == nil ? nil : position, before)
        }
    }

    var live: [KnownWorker] { workers.filter(\.isLive) }
    var awayCount: Int { workers.count - liveCount }

    func isLive(_ id: String) -> Bool { index(of: id).map { workers[$0].isLive } ?? false }

    func stance(of id: String) -> WorkerStance? { index(of: id).flatMap { workers[$0].stance } }

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

    /// Whether a worker that takes new work is one for which it holds.
    func hasWorking(where condition: (borrowing KnownWorker) -> Bool) -> Bool {
        for position in workers.indices where workers[position].stance == .works && condition(workers[position]) {
            return true
        }
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

    /// Until when somebody that is away may come; nil: nobody is expected.
    func expectedUntil(at now: CoordinatorInstant) -> CoordinatorInstant? {
        guard awayCount > 0 else { return nil }
        return workers.lazy.filter { !$0.isLive }.compactMap(\.absence.expectedUntil).filter { $0 > now }.max()
    }

    func worker(at peer: PeerID) -> KnownWorker? {
        ids[peer].flatMap { self[$0] }
    }

    /// The worker that was lost on this connection and may be heard again there.
    func keptWorker(at peer: PeerID) -> KnownWorker? {
        keptIDs[peer].flatMap { self[$0] }
    }

    /// Id of the worker that was at this connection before it greeted from another one.
    func worker(replacedAt peer: PeerID) -> String? { replacedIDs[peer] }

    mutating func update(_ id: String, _ change: (inout KnownWorker) -> Void) {
        guard let position = index(of: id) else { return }
        let before = Before(workers[position])
        change(&workers[position])
        note(id, at: position, before)
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
    mutating func remember(_ copies: [HandedCopy], _ remembered: [RememberedWorker], at now: CoordinatorInstant) {
        for known in remembered {
            let since = now.advanced(bySeconds: -(known.awaySeconds ?? 0))
            var worker = KnownWorker(
                id: known.record.worker, name: known.record.name, threads: known.record.threads, peer: nil,
                lastHeard: since, lastSent: now)
            worker.take(known.record, awaySince: since)
            if known.awaySeconds == nil {
                worker.absence.expectedUntil = now.advanced(
                    bySeconds: CoordinatorLimits.reservationSeconds.lowerBound)
            }
            self[known.record.worker] = worker
        }
        for copy in copies {
            var worker =
                self[copy.worker]
                ?? KnownWorker(
                    id: copy.worker, name: copy.name, threads: 0, peer: nil, lastHeard: now, lastSent: now)
            worker.mayHold(shard: copy.shard, manifests: [copy.manifest])
            worker.away = worker.away ?? KnownWorker.Away(since: now, reason: KnownWorker.notSeen)
            // Whoever was here before a restart is looking for its coordinator already.
            worker.absence.expectedUntil = now.advanced(bySeconds: CoordinatorLimits.reservationSeconds.lowerBound)
            self[copy.worker] = worker
        }
        // What left while nobody was here to see it, or was about to, has nothing to come back for.
        for id in ids(where: { !$0.isLive && $0.duty == .drain && $0.copies.isEmpty }) {
            update(id) { $0.settleDrain(since: $0.away?.since) }
        }
    }

    /// What is looked at of a worker before a change.
    private struct Before {
        var peer: PeerID?
        var kept: PeerID?
        var replaced: PeerID?
        var stance: WorkerStance?
        var isToLeave = false
        var capacity = WorkerCapacity()
        var adapters: [String] = []

        init() {}

        init(_ worker: borrowing KnownWorker) {
            (peer, stance, isToLeave) = (worker.peer, worker.stance, worker.isToLeave)
            (kept, replaced) = (worker.absence.peer, worker.replaced)
            (capacity, adapters) = (worker.capacity, worker.adapters)
        }
    }

    /// - Parameter position: nil: the worker is gone.
    private mutating func note(_ id: String, at position: Int?, _ before: Before) {
        let after = position.map { Before(workers[$0]) } ?? Before()
        if before.peer != after.peer {
            ids.move(id, from: before.peer, to: after.peer)
            if (before.peer == nil) != (after.peer == nil) { liveCount += after.peer == nil ? -1 : 1 }
        }
        keptIDs.move(id, from: before.kept, to: after.kept)
        replacedIDs.move(id, from: before.replaced, to: after.replaced)
        if before.stance != after.stance {
            workingCount += (after.stance == .works ? 1 : 0) - (before.stance == .works ? 1 : 0)
        }
        if before.isToLeave != after.isToLeave { leaving.set(id, isIn: after.isToLeave) }
        if before.peer != after.peer || before.stance != after.stance {
            touchedWorkers.append(id)
        } else if before.capacity != after.capacity {
            touchedCapacities.append(id)
        }
        if let position, !workers[position].touched.isEmpty {
            touch(workers[position].takeTouched(), of: id)
        }
        noteAdapters(of: id, before: before.adapters, after: after.adapters)
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

extension [PeerID: String] {
    /// Of two ids the later one has the connection.
    fileprivate mutating func move(_ id: String, from before: PeerID?, to after: PeerID?) {
        guard before != after else { return }
        if let before, self[before] == id { self[before] = nil }
        if let after { self[after] = id }
    }
}
