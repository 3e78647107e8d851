import Messages

/// Bounds on everything that grows with what others send.
package enum CoordinatorLimits {
    /// The version of messages between coordinator and workers.
    package static let protocolVersion = Int(WireLimits.version)
    /// Workers admitted at once; lost ones that still hold data are remembered up to the same number.
    package static let workers = 256
    /// Shards that a worker may say it holds.
    package static let copies = WireLimits.copies
    /// Messages from a connection that another one with the same worker id replaced, before a third one is refused.
    package static let contestedMessages = 5
    /// Connections of one worker that replace each other more slowly than this are reconnections.
    package static let takeoverSeconds = 60.0
    /// Tasks of lost connections that are cancelled when the worker comes back.
    package static let abandonedTasks = 16
    /// Ended operations kept; the oldest are dropped first.
    package static let endedOperations = 128
    /// Trainings, evaluations and verifications running at once; more are refused with `busy`.
    package static let runningOperations = 16
    /// Forget requests running at once; more are refused with `busy`.
    package static let runningForgets = 1024
    /// Clients waiting for the commit of one request that was repeated while it ran.
    package static let waitersPerRequest = 8
    /// Tasks of one worker at once: one computes, the next waits so that the worker never does.
    package static let tasksPerWorker = 2
    /// Digests asked of the ledger at once.
    package static let missingValues = 4096
    /// Failures of one piece of work before its operations fail.
    package static let attempts = 3
    /// Pause before work that failed too often is tried again, for as long as someone still needs it.
    package static let pauseAfterFailureSeconds = 60.0
    /// Pause before something is asked again that a change of the data overtook.
    package static let staleSeconds = 0.5
    /// Until a worker that has not confirmed a deletion is told again.
    package static let releaseAgainSeconds = 10.0
    /// Times that an evaluation or verification starts anew because the data changed under it.
    package static let restarts = 32
    /// Back-off of ledger writes that failed.
    package static let ledgerRetrySeconds = 1.0...32.0
    /// Trainings of one shard whose bytes are kept to settle a dispute.
    package static let votes = 4
    /// Answers to declarations of destroyed disks that are kept for clients that ask again.
    package static let declarations = 64
    /// How long membership must have been quiet before data of trained shards is moved.
    package static let settleSeconds = 3.0
    /// Characters of a text from outside that are kept (worker names, error messages).
    package static let text = WireLimits.text
}
