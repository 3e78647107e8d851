import Messages

/// Bounds on everything that grows with what others send.
package enum CoordinatorLimits {
    /// The version of messages between coordinator and workers, and those that workers may speak.
    package static let protocolVersion = Int(WireLimits.version)
    package static let acceptedVersions = Int(ProtocolVersions.oldest)...protocolVersion
    /// Workers admitted at once; lost ones that still hold data are remembered up to the same number.
    package static let workers = 4096
    /// Shards that a worker may say it holds.
    package static let copies = WireLimits.copies
    /// Messages from a connection that another one with the same worker id replaced, before a third one is refused.
    package static let contestedMessages = 5
    /// Connections of one worker that replace each other more slowly than this are reconnections.
    package static let takeoverSeconds = 60.0
    /// Tasks of a worker that is away which are remembered after others may have them.
    package static let lapsedTasks = 16
    /// How long work stays reserved for a worker that was lost, and shards wait for the worker that has their data, before
    /// others get them: three times its longest recent silence, within these bounds.
    package static let reservationSeconds = 10.0...60.0
    /// Heartbeats that a worker may miss at most, in seconds, however long its recent silences were.
    package static let longestPatience = 30.0
    /// A time without ticks that is longer is not counted: the coordinator stood still, not the workers.
    package static let lateTickSeconds = 1.0
    /// Ended operations kept; the oldest are dropped first.
    package static let endedOperations = 128
    /// Trainings, evaluations and verifications running at once; more are refused with `busy`.
    package static let runningOperations = 16
    /// Forget requests running at once; more are refused with `busy`. Each keeps some hundred bytes of the process, whatever
    /// the number of shards and workers.
    package static let runningForgets = 250_000
    /// Bytes of the bodies of requests that are kept to tell a repetition from another request, all together. Of a forget
    /// request whose body is not kept the ledger tells; other requests are short, and as few as the operations.
    package static let requestBytes = 32 << 20
    /// Entries of `operations` and of `pending_forgets` in a status; it says how many there are in all.
    package static let listed = 64
    /// Tasks that a line of progress names.
    package static let namedTasks = 8
    /// Clients waiting for the commit of one request that was repeated while it ran.
    package static let waitersPerRequest = 8
    /// Tasks of one worker at once: one computes, the next waits so that the worker never does.
    package static let tasksPerWorker = 2
    /// Chunks of rows and evaluations that a worker does before its next training, if they wait.
    package static let chunksBetweenTrainings = 4
    /// Trainings of other workers' shards, for comparison, that a worker does before its next training, if they wait.
    package static let replaysBetweenTrainings = 1
    /// Retrainings of a shard, by later forget requests, to which a request hands on its double check before it does without.
    package static let checkMoves = 2
    /// Adapters whose missing rows are listed at once.
    package static let listedRows = 64
    /// Digests asked of the ledger at once.
    package static let missingValues = 4096
    /// How long after the ledger said which prompts are gone it is asked that again.
    package static let goneSeconds = 0.25
    /// Of a list of digests, those that stay in it when data changes.
    package static let listedAfterChange = 256
    /// Failures of one piece of work before its operations fail.
    package static let attempts = 3
    /// Workers that may be lost with one case of a comparison before it is given up as one that takes them down.
    package static let caseLosses = 8
    /// How long a comparison goes on though no client asks where it stands: whoever was stopped takes it up again within that.
    package static let unattendedSeconds = 86_400.0
    /// So much may pass before another question of a client is noted.
    package static let attendanceSeconds = 60.0
    /// Pause before work that failed too often is tried again, for as long as someone still needs it.
    package static let pauseAfterFailureSeconds = 60.0
    /// The same for a training that came to numbers that are none, on each of so many attempts.
    package static let pauseAfterDivergenceSeconds = 3600.0
    /// Pause before something is asked again that a change of the data overtook.
    package static let staleSeconds = 0.5
    /// Pause before a task is given out again that needed a line in the ledger, when its disk was full.
    package static let fullDiskSeconds = 4.0
    /// Until a worker that has not confirmed a deletion is told again.
    package static let releaseAgainSeconds = 10.0
    /// How long a forget request whose shards have clean adapters waits for workers that are here to confirm that they
    /// deleted what they held, and for the ledger to note it. After that its certificate names those copies as not confirmed,
    /// as it does those of workers that are away. A worker that sends heartbeats but does not go on with a task delays a
    /// request before that by `CoordinatorSettings.progressSeconds`: then the task is another worker's.
    package static let releaseSeconds = 60.0
    /// Times that a comparison starts anew because the data changed under it.
    package static let restarts = 32
    /// Times that an evaluation starts anew with the adapters of then because the data changed under it. After that it stays
    /// with those it has, and keeps what it scored under adapters that are still there.
    package static let freshStarts = 4
    /// How long an evaluation waits for forget requests' shards before it takes the adapters that there are.
    package static let evaluationSeconds = 60.0
    /// Adapters of one shard that a verification sets out to replay, because the shard changes meanwhile, before it reports
    /// the shard as changed.
    package static let pins = 3
    /// How often whoever waits for the ledger to write a request down is told that it is at it: a client takes 5 s of silence for
    /// a lost connection.
    package static let noticeSeconds = 1.0
    /// Back-off of ledger writes that failed.
    package static let ledgerRetrySeconds = 1.0...32.0
    /// How long nothing is purged after a purge began.
    package static let purgeSeconds = 1.0...30.0
    /// How long nothing is purged after a purge, in times that it took: everybody who asks something of the ledger waits for
    /// it, and a catalogue is written anew by it however little left it. So it is met by fewer than one acknowledgement in a
    /// hundred.
    package static let purgePauses = 200.0
    /// Results of one kind (adapters, embeddings, rows) that the ledger failed to keep and that wait in memory, before no more
    /// of the kind are begun. With a full disk one is enough.
    package static let unwrittenResults = 4
    /// Trainings of one shard whose bytes are kept to settle a dispute.
    package static let votes = 4
    /// Notes of one worker's copies that are on their way to the ledger; what changes meanwhile is one more.
    package static let settlementsUnderWay = 8
    /// How long nothing more of one worker's copies is written down after they were, at least, and manifests that changed for each
    /// further second; and how much of such time may be saved up, so that a few notes follow one another at once.
    package static let settlementSeconds = 1.0
    package static let settledManifestsPerSecond = 32.0
    package static let settlementsAtOnceSeconds = 16.0
    /// What operators say of workers that is on its way to the ledger; more is refused with `busy`.
    package static let pendingWords = 64
    /// What operators said of workers that is remembered, by the name of the request, for clients that ask again; also over a
    /// restart. What came before is carried out once more.
    package static let settledWords = 4096
    /// How long a worker has to hand a stage on, or to say what is left of a copy that is kept for its stages.
    package static let handSeconds = 30.0
    /// The same for a stage of which bytes keep coming: over a slow connection it is one message for minutes.
    package static let longestHandSeconds = 300.0
    /// How long a training, or a replay, waits for the next stage, all workers that may have it together: less than a training may
    /// be silent.
    package static let stageSeconds = 45.0
    /// The same for a worker that took a shard over and need not train it; and how long the one before keeps its copy if that
    /// one does not ask for the stages though nothing keeps it from it.
    package static let handOverSeconds = 300.0
    /// How long the one before keeps its copy at most, where that one goes on with other trainings first: whoever wants it drained
    /// waits no longer, however often it connects anew meanwhile.
    package static let heldBackSeconds = 3600.0
    /// Stages that are asked for or on their way to whoever keeps them, each at most `WireLimits.stageBytes`; beside these are in
    /// memory the last one of each worker that takes stages over, and the one that each replay begins at, until they are sent.
    package static let stagesUnderWay = 4
    /// How long it takes, at least, until a stage answers for a shard again for each that was taken back before; and how much of
    /// such time may be saved up, so that a few follow one another at once: a training from the start, which ends the doubt, takes
    /// one more.
    package static let takenBackSeconds = 60.0
    package static let takenBackAtOnceSeconds = 240.0
    /// How long a worker's signs of life (bytes of a message, words that were not said before) are news of a task that does not
    /// get on: over a slow connection a shard's data, or an adapter, is one message for minutes.
    package static let standstillSeconds = 900.0
    /// After how many reconnections what was asked for before is sent anew for one task.
    package static let askedAnew = 16
    /// Steps of work of which it is not known how many it has.
    package static let steps = 1 << 20
    /// How often a task's steps may begin anew and still be news.
    package static let beginnings = 4
    /// How long membership must have been quiet before data of trained shards is moved.
    package static let settleSeconds = 3.0
    /// Characters of a text from outside that are kept (worker names, error messages).
    package static let text = WireLimits.text
}
