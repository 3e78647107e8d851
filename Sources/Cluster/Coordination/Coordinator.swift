import Messages

/// The coordinator's logic: a value that handles events and says what to do. No I/O, no clock, no randomness.
///
/// It is a reconciler. What should be comes from the ledger's snapshot (every shard's manifest, missing rows, pending
/// forget requests); what is comes from the workers. Whatever is missing is worked off, in this order: embeddings,
/// partition, training, reference rows, tuning of the attention. So a restart in the middle of anything goes on by itself.
///
/// Training comes first, but nothing waits for ever behind it: between two trainings a worker scores some rows and repeats
/// a training that is to be checked (`BackgroundTurn`), and shards that wait take turns.
///
/// What the service must keep: events are handed in in their order, alone or with those that came together; actions are performed in order; outcomes of ledger
/// commands and `.ledgerChanged` come in the order of the commits; a `tick` comes at least every 250 ms, the first one
/// right after the start.
package struct Coordinator: Sendable {
    let settings: CoordinatorSettings
    /// What the ledger holds, as of the last commit heard of.
    package internal(set) var snapshot: LedgerSnapshot {
        didSet {
            pendingForgets.update(from: oldValue.pendingForgets, to: snapshot.pendingForgets)
            (mustReviseChecks, mustAdvanceForgets) = (true, true)
        }
    }
    /// Of the snapshot.
    private(set) var pendingForgets: PendingForgets
    var now: CoordinatorInstant
    var actions: [CoordinatorAction] = []
    /// Connections that were given up, and on which something was heard again while these events were handled.
    var hasReturned: [PeerID] = []

    var roster = WorkerRoster()
    /// The arithmetic every worker must have; nil until the first is admitted.
    var arithmetic: String?
    /// By shard; nil: nobody.
    var owners: [Int: String] = [:]
    /// When a worker last came or went.
    var membershipChanged: CoordinatorInstant
    /// nil: before the first one.
    var lastTick: CoordinatorInstant?

    /// Tasks given out, oldest first.
    var tasks: [CoordinatorTask] = []
    var nextTask: TaskID
    var failures: [WorkItemFailures] = [] {
        didSet { mustAdvanceForgets = true }
    }
    var backlogs: [ValueBacklog] = []
    /// The last task that trained or corrected the shard, by shard: whose turn it is.
    var lastTrainings: [Int: TaskID] = [:]

    var writes = PendingWrites()
    /// For what tuning was last asked: so that it is asked for once.
    var tunedFor: TuningSubject?
    var purgeNotBefore: CoordinatorInstant

    /// In the order in which they came.
    var operations = Operations() {
        didSet { mustAdvanceForgets = true }
    }
    /// What forget requests that wait for their shards follow from changed since they were looked at.
    var mustAdvanceForgets = true

    /// Second trainings of shards that forget requests touched.
    var checks: [ShardCheck] = [] {
        didSet {
            checkPositions = Dictionary(
                checks.indices.map { (checks[$0].shard, $0) }, uniquingKeysWith: { first, _ in first })
            mustReviseChecks = true
        }
    }
    /// Of the checks, by shard.
    private(set) var checkPositions: [Int: Int] = [:]
    /// What checks follow from changed since they were revised.
    var mustReviseChecks = true
    /// Declarations of destroyed disks: the last answers, for clients that ask again.
    var declarations: [CopyDeclaration] = []

    /// - `copies`: what workers' disks may hold, as the ledger has it on record.
    package init(
        settings: CoordinatorSettings, snapshot: LedgerSnapshot, copies: [HandedCopy] = [], at now: CoordinatorInstant
    ) {
        self.settings = settings
        self.snapshot = snapshot
        pendingForgets = PendingForgets(snapshot.pendingForgets)
        self.now = now
        self.membershipChanged = now
        self.purgeNotBefore = now
        self.arithmetic = settings.arithmetic
        self.nextTask = settings.firstTask
        roster.remember(copies, at: now)
        adoptPendingForgets()
    }

    /// Takes an event in and returns what is to be done, in order.
    package mutating func handle(_ event: CoordinatorEvent, at now: CoordinatorInstant) -> [CoordinatorAction] {
        handle([event], at: now)
    }

    /// Takes events in that came together; what follows from all of them is thought about once.
    package mutating func handle(_ events: [CoordinatorEvent], at now: CoordinatorInstant) -> [CoordinatorAction] {
        self.now = max(self.now, now)
        actions = []
        hasReturned = []
        for event in events { take(event) }
        if !events.allSatisfy(isQuiet) { reconcile() }
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: CoordinatorEvent) {
        switch event {
        case .tick: tick()
        case .worker(let peer, let message): receive(message, from: peer)
        case .alive(let peer): heardBytes(of: peer)
        case .garbage(let peer): log("dropped frames that are no message, from peer \(peer)")
        case .unreachable(let peer): disconnect(peer)
        case .undelivered(let peer, let task, let error): undelivered(task, to: peer, error)
        case .adapterDamaged(let name): dropDamaged(name)
        case .client(let ticket, let request): receive(request, from: ticket)
        case .ledger(let id, let outcome): committed(id, outcome)
        case .ledgerChanged(let snapshot): adopt(snapshot, dataChanged: true)
        case .missing(let kind, let result): missingValuesLoaded(kind, result)
        case .splitLoaded(let operation, let result): splitLoaded(operation, result)
        case .weights(let operation, let scope, let result): weightsComputed(operation, scope, result)
        case .comparisonLoaded(let operation, let result): comparisonLoaded(operation, result)
        case .forgetShards(let operation, let result): forgetShardsLoaded(operation, result)
        case .evaluation(let operation, let result): evaluationBuilt(operation, result)
        }
    }

    /// The adapters that may answer queries now, by shard. A query must read this after its last wait, just before it
    /// replies: an adapter that is not in it any more must have no part in the reply.
    package var activeAdapters: [ActiveAdapter] { activeAdapters(weighingByRows: snapshot.weighsByRows) }

    /// As `PreparedAttention.members`: where weights rest on rows of the error table, adapters without one carry none.
    func activeAdapters(weighingByRows: Bool) -> [ActiveAdapter] {
        let needsRow = weighingByRows && snapshot.shards.contains { $0.adapter?.missingMargins == 0 }
        return snapshot.shards.compactMap { shard in
            shard.adapter.map {
                ActiveAdapter(
                    shard: shard.index, name: $0.name, carriesWeight: !needsRow || $0.missingMargins == 0)
            }
        }
    }

    /// Whether nothing can follow from the event but an answer.
    private func isQuiet(_ event: CoordinatorEvent) -> Bool {
        switch event {
        case .worker(let peer, .heartbeat), .worker(let peer, .progress), .worker(let peer, .need),
            .worker(let peer, .lacks):
            !hasReturned.contains(peer)
        case .alive, .garbage, .client(_, .status): true
        default: false
        }
    }

    /// Brings what is nearer to what should be.
    private mutating func reconcile() {
        resumePausedWork()
        reviseChecks()
        dropUnwantedTasks()
        retireAdapters()
        lapseReservations()
        orderLedgerWork()
        advanceOperations()
        placeShards()
        releaseCopies()
        giveOutTasks()
    }

    mutating func log(_ line: String) {
        actions.append(.log(String(line.prefix(CoordinatorLimits.text))))
    }
}

/// An adapter that may answer queries.
package struct ActiveAdapter: Codable, Hashable, Sendable {
    package var shard: Int
    /// Content name.
    package var name: String
    /// Sample-adaptive weights cannot weigh it before its row of the error table is complete; equal ones can.
    package var carriesWeight: Bool
}
