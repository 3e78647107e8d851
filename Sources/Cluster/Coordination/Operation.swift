import Messages

/// A long request on its way.
struct Operation: Sendable {
    enum Phase: Sendable {
        /// The ledger writes down what it has to remember of the request; these clients are answered when it has.
        case committing(waiters: [ClientTicket])
        case running
        /// It begins anew because the data changed under it: not before the snapshot of the change can have arrived.
        case resting(until: CoordinatorInstant)
        case done(OperationResult?)
        case failed(ClientError)
    }

    /// What is asked for, and how far it is. Copied as a reference: operations are looked at far more often than they change.
    indirect enum Course: Sendable {
        case train
        case forget(Forgetting)
        case evaluate(Evaluation)
        case verify(Verification)
        case compare(Comparison)
    }

    /// The request's id.
    var id: String
    /// nil: found pending in the ledger after a restart, and nobody repeated it since; or too much to be kept.
    private(set) var request: ClientRequest?
    /// What it takes in memory, about.
    private(set) var requestBytes: Int
    var course: Course
    var started: CoordinatorInstant
    var phase: Phase
    /// Restarts of an evaluation, verification or comparison; parts of earlier runs are dropped.
    var generation = 0

    init(
        id: String, request: ClientRequest?, course: Course, started: CoordinatorInstant, phase: Phase
    ) {
        (self.id, self.request, self.course, self.started, self.phase) = (id, request, course, started, phase)
        requestBytes = request?.keptBytes ?? 0
    }

    mutating func setRequest(_ new: ClientRequest?) {
        request = new
        requestBytes = new?.keptBytes ?? 0
    }

    var kind: String {
        switch course {
        case .train: "train"
        case .forget: "forget"
        case .evaluate: "evaluate"
        case .verify: "verify"
        case .compare: "compare"
        }
    }

    var isForget: Bool {
        if case .forget = course { true } else { false }
    }

    /// As clients see it: what is being committed runs already.
    var state: OperationReport.State {
        switch phase {
        case .committing, .running, .resting: .running
        case .done: .done
        case .failed: .failed
        }
    }

    var isCommitting: Bool {
        if case .committing = phase { true } else { false }
    }

    /// Nothing more becomes of it. A forget request that failed goes on when its work is tried again.
    var isOver: Bool {
        switch phase {
        case .done: true
        case .failed: !isForget
        case .committing, .running, .resting: false
        }
    }

    /// Something may yet become of it.
    var isOpen: Bool { !isOver && !isCommitting }

    var error: ClientError? {
        if case .failed(let error) = phase { error } else { nil }
    }

    var result: OperationResult? {
        if case .done(let result) = phase { result } else { nil }
    }
}

extension ClientRequest {
    /// What a copy of it takes, about.
    fileprivate var keptBytes: Int {
        guard case .forget(let wanted) = self else { return 0 }
        let text = MemoryLayout<String>.size
        return wanted.users.reduce(0) { $0 + $1.utf8.count + text }
            + wanted.interactions.reduce(0) { $0 + $1.user.utf8.count + $1.item.utf8.count + 4 * text }
    }
}

/// A forget request from its commit to its certificate.
struct Forgetting: Sendable {
    enum Outcome: Sendable {
        /// Before the commit; and after a restart, for a request that the ledger has pending. Clients who repeat it then wait
        /// until the ledger says whether theirs is the same.
        case unknown(waiters: [ClientTicket])
        case known(ForgetOutcome)
    }

    var outcome = Outcome.unknown(waiters: [])
    /// Since when its shards have clean adapters; nil: they have not.
    var cleanSince: CoordinatorInstant?

    /// The double check of one of its shards. It outlives the adapter, which a later request may take away.
    struct Check: Hashable, Sendable {
        var shard: Int
        var manifest: String
        /// Content name of the adapter to be checked.
        var adapter: String
        /// Two workers gave these bytes; empty: not yet.
        var workers: [String] = []
        /// How often the shard's data changed first.
        var moves = 0

        var isSuperseded: Bool { workers.isEmpty && moves >= CoordinatorLimits.checkMoves }
        var hasEnded: Bool { !workers.isEmpty || isSuperseded }
    }

    var isUnknown: Bool {
        if case .unknown = outcome { true } else { false }
    }

    /// Who waits for what the ledger says.
    var waiters: [ClientTicket] {
        if case .unknown(let waiters) = outcome { waiters } else { [] }
    }
}
