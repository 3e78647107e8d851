import Messages

/// What is known of a worker's return while it is away.
struct WorkerAbsence: Sendable {
    /// The connection on which nothing was heard of it for too long. If something is heard there again, nothing was lost.
    var peer: PeerID?
    /// Until then its tasks, and the shards whose data lies with it, wait for it. nil: it is not expected.
    var expectedUntil: CoordinatorInstant?
    /// Tasks that it had when it was lost.
    var given: [TaskID] = []
    /// Those of them that were put back since, because it did not come in time: nobody may have begun them.
    var lapsed: [CoordinatorTask] = []
}
