import Messages

/// What the coordinator knows of one worker, by the worker's own id.
package struct KnownWorker: Sendable {
    var id: String
    /// What people call it.
    var name: String
    /// Host name and process id: another one after a restart of the worker.
    var process = ""
    /// What it calls itself: the name that it was started with, else host name and process id. Empty until it greets.
    var claim = ""
    var threads: Int
    /// Where its connection comes from.
    var address: String?
    var release: String?
    /// Of the protocol, as it last greeted.
    var protocolVersion = CoordinatorLimits.protocolVersion
    /// Whose rows of a comparison it computes as they are now.
    var comparedMethods = Set(ComparisonMethod.allCases)
    /// When its process began.
    var started: CoordinatorInstant?
    var isEphemeral = false
    /// Whether it ends when it is told to.
    var knowsLeave = false
    /// What an operator wants of it.
    var duty = WorkerDuty.work
    /// It was asked to end, and finishes what it does.
    var isLeaving = false
    /// When it was last told to leave.
    var toldToLeave: CoordinatorInstant?
    /// It counts as drained, though it said no goodbye: a process of it that began before this is to be drained still.
    var drainedSince: CoordinatorInstant?
    var pace = WorkerPace()
    /// nil: it is here.
    var away: Away?
    /// What the ledger has of it, or is about to have; nil: nothing, or it is to be written anew.
    var recorded: WorkerRecord?
    /// Whether the ledger has anything of it.
    var isListed = false
    /// nil: away.
    var peer: PeerID?
    var lastHeard: CoordinatorInstant
    var lastSent: CoordinatorInstant
    /// By shard.
    private(set) var copies: [KnownCopy]
    /// Shards whose copy changed; the roster reads and empties it.
    private(set) var touched: [Int] = []
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

    init(
        id: String, name: String, threads: Int, peer: PeerID?, lastHeard: CoordinatorInstant,
        lastSent: CoordinatorInstant
    ) {
        (self.id, self.name, self.threads, self.peer) = (id, name, threads, peer)
        (self.lastHeard, self.lastSent, copies) = (lastHeard, lastSent, [])
    }

    var isLive: Bool { peer != nil }

    /// Whether it is here, or what is kept for it is kept still.
    func isHereOrExpected(at now: CoordinatorInstant) -> Bool {
        isLive || (absence.expectedUntil.map { $0 > now } ?? false)
    }

    struct Away: Sendable {
        var since: CoordinatorInstant
        /// For people.
        var reason: String
    }

    /// What part of the work it takes; nil: none, it is away.
    var stance: WorkerStance? {
        guard isLive else { return nil }
        switch duty {
        case .drain: return .gives
        case .pause: return .keeps
        case .work: return isLeaving ? .keeps : .works
        }
    }

    /// Whether its version of the protocol has work of this form.
    func knows(_ form: WorkForm) -> Bool { protocolVersion >= Int(form.since) }

    /// "node7-1 (10.0.0.7)"
    var title: String { name + (address.map { " (\($0))" } ?? "") }

    var record: WorkerRecord {
        WorkerRecord(
            worker: id, name: name, process: process, address: address, release: release, threads: threads,
            isEphemeral: isEphemeral, duty: duty, absence: away?.reason)
    }

    func copy(of shard: Int) -> KnownCopy? {
        let position = place(of: shard)
        return position < copies.count && copies[position].shard == shard ? copies[position] : nil
    }

    /// Where the copy of the shard is, or belongs.
    private func place(of shard: Int) -> Int {
        var (low, high) = (0, copies.count)
        while low < high {
            let middle = (low + high) / 2
            if copies[middle].shard < shard { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether its copy is known to be exactly this manifest.
    func holds(shard: Int, manifest: String) -> Bool {
        copy(of: shard)?.isExactly(manifest) ?? false
    }

    mutating func setCopy(_ copy: KnownCopy) {
        let position = place(of: copy.shard)
        if position < copies.count, copies[position].shard == copy.shard {
            copies[position] = copy
        } else {
            copies.insert(copy, at: position)
        }
        touched.append(copy.shard)
    }

    /// Data of this manifest is on its way to the worker.
    mutating func expect(shard: Int, manifest: String) {
        let known = copy(of: shard)
        setCopy(
            KnownCopy(
                shard: shard, content: (known?.content ?? .among([])).expecting(manifest),
                stages: known?.stages ?? [], trained: known?.trained, hasCheckpoint: known?.hasCheckpoint ?? false,
                heldBack: known?.heldBack,
                brought: known?.brought))
    }

    /// It is told to drop what is not of this manifest.
    mutating func bring(shard: Int, to manifest: String) {
        guard var copy = copy(of: shard), !copy.isExactly(manifest) else { return }
        copy.content = copy.content.expecting(manifest)
        copy.brought = manifest
        setCopy(copy)
    }

    /// The worker said what it holds of a shard. Data that was on its way when it said so may arrive after that.
    mutating func confirm(_ copy: ShardCopy, onTheWay: [String] = []) {
        let known = self.copy(of: copy.shard)
        var others = onTheWay.filter { $0 != copy.manifest }
        // What is left of it has a manifest that never was the shard's: what it is a part of says what it may hold.
        if let brought = known?.brought, known?.manifests.contains(copy.manifest) != true, !others.contains(brought) {
            others.append(brought)
        }
        setCopy(
            KnownCopy(
                shard: copy.shard,
                content: others.isEmpty
                    ? .exactly(copy.manifest, prepared: copy.prepared) : .among([copy.manifest] + others),
                stages: copy.stages ?? [], trained: copy.trained ?? copy.adapter,
                hasCheckpoint: copy.hasCheckpoint ?? false, heldBack: known?.heldBack,
                brought: known?.brought == copy.manifest ? nil : known?.brought))
    }

    mutating func holdBack(_ held: KnownCopy.HeldBack?, copyOf shard: Int) {
        let position = place(of: shard)
        guard position < copies.count, copies[position].shard == shard else { return }
        copies[position].heldBack = held
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
        let position = place(of: shard)
        guard position < copies.count, copies[position].shard == shard else { return }
        copies.remove(at: position)
        touched.append(shard)
    }

    mutating func removeAllCopies() {
        touched += copies.map(\.shard)
        copies = []
    }
}

extension KnownWorker {
    mutating func takeTouched() -> [Int] {
        defer { touched = [] }
        return touched
    }
}
