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
    package private(set) var snapshot: LedgerSnapshot
    /// Of the snapshot.
    var pendingForgets: PendingForgets
    var now: CoordinatorInstant
    var actions: [CoordinatorAction] = []
    /// Connections that were given up, and on which something was heard again while these events were handled.
    var hasReturned: [PeerID] = []

    var roster = WorkerRoster()
    /// The arithmetic every worker must have; nil until the first is admitted.
    var arithmetic: String?
    /// By shard; nil: nobody.
    var owners: [Int: String] = [:]
    var placement = ShardPlacement()
    /// When a worker last came or went.
    var membershipChanged: CoordinatorInstant {
        didSet { alarms.add(.anything, at: membershipChanged.advanced(bySeconds: CoordinatorLimits.settleSeconds)) }
    }
    /// Until when workers of before the start are waited for.
    let startedUntil: CoordinatorInstant
    /// nil: before the first one.
    var lastTick: CoordinatorInstant?

    /// Tasks given out, oldest first.
    var tasks = TaskList()
    var nextTask: TaskID
    /// What changes them says so by `noteFailure`.
    var failures: [WorkItemFailures] = []
    var backlogs: [MissingValues: ValueBacklog] = [:]
    var valueDoubts = ValueDoubts()
    /// What is missing, as far as it is asked of the ledger, in the order in which it is worked off.
    var wantedValues: [MissingValues] = []
    /// The last task that trained or corrected the shard, by shard: whose turn it is.
    var lastTrainings: [Int: TaskID] = [:]

    var writes = PendingWrites()
    /// For what tuning was last asked: so that it is asked for once.
    var tunedFor: TuningSubject?
    var purges: PurgePace
    var commitNotices = CommitNotices()

    /// In the order in which they came.
    var operations = Operations()
    /// Copies that forget requests wait for.
    var staleCopies = StaleCopies()
    /// A copy that is stale now, and was not when it was looked at last, concerns requests from this one on.
    var staleFrom = 0
    /// Counts changes of what shards have for adapters, as of when scoring tasks were last looked at.
    var scoredRevision = 0
    /// Requests from this one on waited for copies when they were last looked at.
    var blockedFrom = Int.max

    /// Second trainings of shards that forget requests touched.
    var checks = ShardChecks()
    var choices = CheckChoices()
    /// What operators say of workers: on its way to the ledger, and the last ones that were carried out.
    var words: OperatorWords
    /// Workers of which the ledger is to have something else than it has.
    var fleet = FleetNotes()
    /// What the ledger is yet to be told of workers' copies.
    var settlements = SettlementPace()

    /// Prompt tokens of the trainings that ended since the start.
    var trainedTokens = 0

    /// Stages that workers want of each other.
    var exchanges = StageExchanges()
    /// How soon one answers after others were taken back.
    var answerPace = AnswerPace()

    // MARK: what changed

    /// Shards of which something changed.
    var changes = ChangeLog()
    var index = ShardIndex()
    var alarms = Alarms()
    /// What was true for all shards when their facts were last looked at.
    var circumstances: Circumstances?
    /// Live workers that no task has for itself, and those that may have one more chunk; sorted.
    var free: [String] = []
    var spare: [String] = []
    /// Pending forget requests that something changed for, and those whose checks are to be looked at.
    var forgetsToAdvance: Set<String> = []
    var forgetsToCheck: Set<String> = []
    /// Shards of which the data, the adapter or the check is another one.
    var shardsToCheck: Set<Int> = []
    /// Whether something is to be brought nearer to what should be.
    var mustReconcile = true
    /// Whether a worker came or went since shards were placed.
    var mustPlace = true

    /// - `copies`: what workers' disks may hold, as the ledger has it on record.
    /// - `workers`: those that were there before.
    /// - `words`: what operators said of them that was carried out, oldest first.
    package init(
        settings: CoordinatorSettings, snapshot: LedgerSnapshot, copies: [HandedCopy] = [],
        workers: [RememberedWorker] = [], words: [SettledWord] = [], at now: CoordinatorInstant
    ) {
        self.settings = settings
        self.snapshot = snapshot
        self.words = OperatorWords(settled: words)
        pendingForgets = PendingForgets(snapshot.pendingForgets)
        self.now = now
        self.membershipChanged = now
        self.purges = PurgePace(at: now)
        self.arithmetic = settings.arithmetic
        self.nextTask = settings.firstTask
        startedUntil = now.advanced(bySeconds: CoordinatorLimits.reservationSeconds.lowerBound)
        roster.remember(copies, workers, at: now)
        alarms.add(.anything, at: now.advanced(bySeconds: CoordinatorLimits.settleSeconds))
        alarms.add(.everything, at: startedUntil)
        adopt(snapshot.pendingForgets)
        changes.note(snapshot.shards.map(\.index))
        refresh()
    }

    /// Takes the ledger's new state over.
    ///
    /// - Returns: shards of which something is another now, by index; whether one of them has other prompts or another adapter;
    ///   content names of adapters that they had; and requests that became pending.
    mutating func take(
        _ new: LedgerSnapshot
    ) -> (shards: [Int], haveOtherAdapters: Bool, gone: Set<String>, requests: [LedgerSnapshot.PendingForget]) {
        let old = snapshot
        snapshot = new
        staleFrom = pendingForgets.latest + 1
        let requests = pendingForgets.update(from: old.pendingForgets, to: new.pendingForgets)
        let (removed, added) = new.shards.changes(since: old.shards)
        let others =
            removed.count != added.count
            || zip(removed, added).contains { $0.manifest != $1.manifest || $0.adapter?.name != $1.adapter?.name }
        let gone = Set(removed.compactMap(\.adapter?.name)).subtracting(added.compactMap(\.adapter?.name))
        return (Set((removed + added).map(\.index)).sorted(), others, gone, requests)
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
        if events.contains(where: { !isQuiet($0) }) { reconcile() }
        defer { actions = [] }
        return actions
    }

    /// Looks at what changed, or at everything: the same comes of both.
    package mutating func look(atEverything: Bool, at now: CoordinatorInstant) -> [CoordinatorAction] {
        self.now = max(self.now, now)
        actions = []
        if atEverything { noteEverything() }
        reconcile()
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: CoordinatorEvent) {
        switch event {
        case .tick: tick()
        case .worker(let peer, let message): receive(message, from: peer)
        case .alive(let peer): heardBytes(of: peer)
        case .garbage(let peer): log("dropped frames that are no message, from peer \(peer)")
        case .unreachable(let peer, let reason): disconnect(peer, because: reason)
        case .undelivered(let peer, let task, let error): undelivered(task, to: peer, error)
        case .adapterDamaged(let name): dropDamaged(name)
        case .client(let ticket, let request): receive(request, from: ticket)
        case .ledger(let id, let outcome): committed(id, outcome)
        case .ledgerChanged(let snapshot): adopt(snapshot, dataChanged: true)
        case .missing(let kind, let result): missingValuesLoaded(kind, result)
        case .goneFound(let result): goneFound(result)
        case .splitLoaded(let operation, let result): splitLoaded(operation, result)
        case .weights(let operation, let generation, let scope, let result):
            weightsComputed(operation, generation, scope, result)
        case .comparisonLoaded(let operation, let result): comparisonLoaded(operation, result)
        case .forgetShards(let operation, let result): forgetShardsLoaded(operation, result)
        case .stages(let operation, let result): stagesLoaded(operation, result)
        case .evaluation(let operation, let result): evaluationBuilt(operation, result)
        }
    }

    /// The adapters that may answer queries now, by shard. A query must read this after its last wait, just before it
    /// replies: an adapter that is not in it any more must have no part in the reply.
    package var activeAdapters: [ActiveAdapter] { activeAdapters(weighingByRows: snapshot.weighsByRows) }

    /// As `PreparedAttention.members`: where weights rest on rows of the error table, adapters without one carry none.
    func activeAdapters(weighingByRows: Bool) -> [ActiveAdapter] {
        let needsRow = weighingByRows && snapshot.shards.contains { answering(for: $0)?.missingMargins == 0 }
        return snapshot.shards.compactMap { shard in
            answering(for: shard).map {
                ActiveAdapter(
                    shard: shard.index, name: $0.name, carriesWeight: !needsRow || $0.missingMargins == 0)
            }
        }
    }

    /// Whether nothing can follow from the event but an answer; or nothing did, and it is not time for anything else.
    private func isQuiet(_ event: CoordinatorEvent) -> Bool {
        switch event {
        case .worker(let peer, .heartbeat), .worker(let peer, .progress), .worker(let peer, .need),
            .worker(let peer, .lacks):
            !hasReturned.contains(peer)
        case .alive, .garbage, .client(_, .status), .client(_, .operation): true
        case .tick: !hasChanged
        default: false
        }
    }

    /// Brings what is nearer to what should be. Every step looks at what changed since it last did.
    private mutating func reconcile() {
        mustReconcile = false
        operations.areReadersTouched = false
        ring()
        refresh()
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
        advanceHandOvers()
        sendAway()
        collect()
        changes.trim()
        // What a later step changed an earlier one looks at with the next event, at the latest with the next tick.
        if !changes.isEmpty || !forgetsToCheck.isEmpty || !shardsToCheck.isEmpty || !forgetsToAdvance.isEmpty {
            mustReconcile = true
        }
    }

    /// - Parameter repeatsActions: it says no more than other actions do.
    mutating func log(
        _ message: String, worker: String? = nil, shard: Int? = nil, task: TaskID? = nil, request: String? = nil,
        repeatsActions: Bool = false
    ) {
        let isShort = message.utf8.count <= CoordinatorLimits.text
        actions.append(
            .log(
                LogLine(
                    message: isShort ? message : message.clipped, worker: worker?.clipped, shard: shard, task: task,
                    request: request?.clipped, repeatsActions: repeatsActions)))
    }

    /// What people are told of a worker: name and address.
    func title(of worker: String) -> String { roster[worker]?.title ?? worker.clipped }
}

/// An adapter that may answer queries.
package struct ActiveAdapter: Codable, Hashable, Sendable {
    package var shard: Int
    /// Content name.
    package var name: String
    /// Sample-adaptive weights cannot weigh it before its row of the error table is complete; equal ones can.
    package var carriesWeight: Bool
}
