import Messages

/// What the coordinator knows of one worker, by the worker's own id.
package struct KnownWorker: Sendable {
    var id: String
    var name: String
    var threads: Int
    /// nil: away.
    var peer: PeerID?
    var lastHeard: CoordinatorInstant
    var lastSent: CoordinatorInstant
    /// By shard.
    var copies: [KnownCopy]
    /// When a whole message of it last came.
    var lastMessage = CoordinatorInstant(milliseconds: 0)
    /// The connection before this one, which should fall silent.
    var replaced: PeerID?
    /// Messages from replaced connections, while one takes over from the other: two processes with one id.
    var contested = 0
    var lastTakeover: CoordinatorInstant?
    /// How it comes back, if it is away.
    var absence = WorkerAbsence()
    /// The longest time between two of its messages lately, in seconds.
    var longestGap = 0.0
    /// Content names of adapters that it was sent on this connection and has not been told to drop.
    var adapters: [String] = []
    /// What it may do before it trains its next shard.
    var turn = BackgroundTurn()
    /// Whether the last shard it was given was to be corrected, not trained.
    var correctedLast = false
    /// `WorkerIdentity.digest` of what the worker showed its id to be its own by; nil: it was not heard since the start.
    var secret: String?

    var isLive: Bool { peer != nil }

    func copy(of shard: Int) -> KnownCopy? {
        copies.first { $0.shard == shard }
    }

    /// Whether its copy is known to be exactly this manifest.
    func holds(shard: Int, manifest: String) -> Bool {
        copy(of: shard)?.isExactly(manifest) ?? false
    }

    mutating func setCopy(_ copy: KnownCopy) {
        if let position = copies.firstIndex(where: { $0.shard == copy.shard }) {
            copies[position] = copy
        } else {
            copies.append(copy)
            copies.sort { $0.shard < $1.shard }
        }
    }

    /// Data of this manifest is on its way to the worker.
    mutating func expect(shard: Int, manifest: String) {
        setCopy(KnownCopy(shard: shard, content: (copy(of: shard)?.content ?? .among([])).expecting(manifest)))
    }

    /// The worker said what it holds of a shard. Data that was on its way when it said so may arrive after that.
    mutating func confirm(_ copy: ShardCopy, onTheWay: [String] = []) {
        let others = onTheWay.filter { $0 != copy.manifest }
        setCopy(
            KnownCopy(
                shard: copy.shard,
                content: others.isEmpty
                    ? .exactly(copy.manifest, prepared: copy.prepared) : .among([copy.manifest] + others)))
    }

    /// The worker's disk may have data of these manifests too.
    mutating func mayHold(shard: Int, manifests: [String]) {
        let known = copy(of: shard)
        let others = manifests.filter { known?.manifests.contains($0) != true }
        guard !others.isEmpty else { return }
        var copy = known ?? KnownCopy(shard: shard, content: .among([]))
        copy.content = .among(copy.manifests + others)
        setCopy(copy)
    }

    mutating func removeCopy(of shard: Int) {
        copies.removeAll { $0.shard == shard }
    }
}

/// All workers that matter: the live ones, and those away that may still hold data. Sorted by id.
struct WorkerRoster: Sendable {
    private(set) var workers: [KnownWorker] = []
    /// Ids by connection.
    private var ids: [PeerID: String] = [:]

    subscript(id: String) -> KnownWorker? {
        get {
            index(of: id).map { workers[$0] }
        }
        set {
            let position = position(of: id)
            let known = position < workers.count && workers[position].id == id
            note(id, known ? workers[position].peer : nil, newValue?.peer)
            switch (known, newValue) {
            case (true, .some(let worker)): workers[position] = worker
            case (true, .none): workers.remove(at: position)
            case (false, .some(let worker)): workers.insert(worker, at: position)
            case (false, .none): break
            }
        }
    }

    var live: [KnownWorker] { workers.filter(\.isLive) }
    var hasLive: Bool { workers.contains(where: \.isLive) }

    func isAnybodyExpected(at now: CoordinatorInstant) -> Bool {
        workers.contains { !$0.isLive && ($0.absence.expectedUntil.map { $0 > now } ?? false) }
    }

    func worker(at peer: PeerID) -> KnownWorker? {
        ids[peer].flatMap { self[$0] }
    }

    mutating func update(_ id: String, _ change: (inout KnownWorker) -> Void) {
        guard let position = index(of: id) else { return }
        let before = workers[position].peer
        change(&workers[position])
        note(id, before, workers[position].peer)
    }

    /// Workers that were here before this coordinator started, as far as their disks may hold something.
    mutating func remember(_ copies: [HandedCopy], at now: CoordinatorInstant) {
        for copy in copies {
            var worker =
                self[copy.worker]
                ?? KnownWorker(
                    id: copy.worker, name: copy.name, threads: 0, peer: nil, lastHeard: now, lastSent: now, copies: [])
            worker.mayHold(shard: copy.shard, manifests: [copy.manifest])
            // Whoever was here before a restart is looking for its coordinator already.
            worker.absence.expectedUntil = now.advanced(bySeconds: CoordinatorLimits.reservationSeconds.lowerBound)
            self[copy.worker] = worker
        }
    }

    private mutating func note(_ id: String, _ before: PeerID?, _ after: PeerID?) {
        guard before != after else { return }
        if let before, ids[before] == id { ids[before] = nil }
        if let after { ids[after] = id }
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
