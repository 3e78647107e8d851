import Messages

/// Requests whose clients wait until the ledger has written them down, in the order in which they are told next that it is at
/// it. An entry of a request that nobody waits for any more costs one look.
struct CommitNotices: Sendable {
    private var waiting: [(request: String, due: CoordinatorInstant)] = []
    /// Of `waiting`, those that were taken already.
    private var taken = 0
    private var known: Set<String> = []

    mutating func add(_ request: String, at now: CoordinatorInstant) {
        guard known.insert(request).inserted else { return }
        waiting.append((request, now.advanced(bySeconds: CoordinatorLimits.noticeSeconds)))
    }

    /// Takes out those that have waited for a while without a word.
    mutating func take(at now: CoordinatorInstant) -> [String] {
        var due: [String] = []
        while taken < waiting.count, waiting[taken].due <= now {
            due.append(waiting[taken].request)
            taken += 1
        }
        known.subtract(due)
        // Moving the rest costs each of them once.
        if taken * 2 >= waiting.count {
            waiting.removeFirst(taken)
            taken = 0
        }
        return due
    }
}

extension Coordinator {
    /// Clients whose requests wait for the ledger hear that it is at it, and neither give up nor ask again: a long write before
    /// theirs, or many of them, may take it longer than they would wait in silence.
    mutating func sayCommitting() {
        for request in commitNotices.take(at: now) {
            guard let waiters = operation(request)?.committing, !waiters.isEmpty else { continue }
            for waiter in waiters { actions.append(.working(waiter)) }
            commitNotices.add(request, at: now)
        }
    }
}

extension Operation {
    /// Who waits for what the ledger says.
    fileprivate var committing: [ClientTicket] {
        switch (phase, course) {
        case (.committing(let waiters), _): waiters
        case (_, .forget(let forgetting)): forgetting.waiters
        default: []
        }
    }
}
