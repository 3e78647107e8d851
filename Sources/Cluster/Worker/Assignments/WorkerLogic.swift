import LanguageModels
import Messages
import Recommendation
import Unlearning

/// What a worker answers and does: a value that handles events. It has no sockets, files, threads or clock.
///
/// Whatever is computed goes on when the connection is lost, and its results wait for the next one: the hello names it, and
/// the welcome what of it is still wanted. Of the rest only a shard's training goes on, without an id, until the coordinator
/// assigns the same again, or wants other work.
package struct WorkerLogic: Sendable {
    package enum Event: Sendable {
        /// A coordinator that can be followed welcomed this worker, and waits for these of its tasks.
        case connected(goingOnWith: [TaskID])
        case disconnected
        /// This worker's key is not a worker's any more: nothing that came with it is to stay in memory.
        case turnedOut
        /// The coordinator is of another cluster than the one whose shards are held.
        case otherCluster
        case message(CoordinatorMessage)
        case storage(StorageResult)
        case progress(JobID, WorkerMessage.TaskProgress)
        case stage(JobID, TrainingStage)
        /// The job's stage may answer until its training is done.
        case answers(JobID)
        case finished(JobID, JobOutcome)
    }

    package enum Action: Sendable, Equatable {
        case send(WorkerMessage)
        case storage(StorageCommand)
        /// Only while no other job runs.
        case start(Job)
        /// The running job should stop; `finished` follows.
        case cancel(JobID)
        /// The storage thread should forget keys and what they opened; the files stay.
        case forgetKeys
        case log(String)
    }

    let executor: ExecutorDescription
    var isConnected = false
    var copies: [Int: ShardCopy]
    var assignments: [Int: ShardAssignment] = [:]
    /// Every shard that the disk held or may have got, sorted: what a worker that deleted everything can say is gone.
    package private(set) var shards: [Int]
    /// By shard.
    var preparations: [Int: ShardPreparation] = [:]
    var queue = JobQueue()
    /// Tasks of the jobs that belong to no shard.
    var tasks: [JobID: TaskID] = [:]
    var computations: [JobID: Job.Computation] = [:]
    /// How much of a job is done.
    var shares: [JobID: Double] = [:]
    var results = HeldResults()
    var adapters = AdapterCache()
    /// Storage commands that read a stage for another worker, with the task, and those that keep another worker's.
    var handing: [UInt64: TaskID] = [:]
    var taking: Set<UInt64> = []
    /// Storage commands that keep what a training under way came by.
    var keeping: [UInt64: KeptStage] = [:]
    /// How much of it may wait.
    package var unwritten = UnwrittenStages()
    /// By shard; of its last training.
    var evidence: [Int: StageEvidence] = [:]
    /// By shard: names of stages that trainings of this process passed to a good end, or that were found to answer. One of them may
    /// answer at once, whatever is computed meanwhile.
    var goodStages: [Int: Set<String>] = [:]
    /// Scoring tasks whose adapters are not all there.
    var waitingScores: [WaitingScore] = []
    private var nextID: UInt64 = 1

    package init(executor: ExecutorDescription, copies: [ShardCopy]) {
        self.executor = executor
        shards = copies.map(\.shard).sorted()
        self.copies = Dictionary(copies.map { ($0.shard, $0) }, uniquingKeysWith: { _, last in last })
    }

    /// Sorted by shard; for the hello.
    package var currentCopies: [ShardCopy] {
        copies.keys.sorted().compactMap { copies[$0] }.fittingHello
    }

    /// What is said without a connection is not said, but for results, which are kept for the next one.
    package mutating func handle(_ event: Event) -> [Action] {
        let actions = take(event)
        for case .send(let message) in actions { results.keep(message) }
        guard !isConnected else { return actions }
        return actions.filter { if case .send = $0 { false } else { true } }
    }

    private mutating func take(_ event: Event) -> [Action] {
        switch event {
        case .connected(let tasks): return connect(goingOnWith: tasks)
        case .disconnected: return disconnect()
        case .turnedOut: return letGo()
        case .otherCluster:
            return shards.filter { copies[$0] != nil || assignments[$0] != nil }.flatMap { release($0) }
        case .message(let message): return handle(message)
        case .storage(let result): return handle(result)
        case .progress(let job, var progress):
            if progress.steps > 0 { shares[job] = min(1, max(0, Double(progress.step) / Double(progress.steps))) }
            let offers = offerPassed(by: job)
            guard let task = task(of: job) else { return offers }
            progress.task = task
            progress.unkept = shard(training: job).flatMap { assignments[$0]?.unkept.last?.reason }
            return offers + [.send(.progress(progress))]
        case .stage(let job, let stage): return keep(stage, of: job)
        case .answers(let job): return offerChecked(job)
        case .finished(let job, let outcome): return finish(job, outcome)
        }
    }

    private mutating func handle(_ message: CoordinatorMessage) -> [Action] {
        switch message {
        case .assign(let assignment): return assign(assignment)
        case .prompts(let task, let prompts): return take(prompts, task: task)
        case .replay(let task, let specification, let prompts):
            if let failure = mismatch(specification) { return [failed(task, failure)] }
            return enqueue(.train(specification, prompts: prompts), task: task)
        case .replayStage(let replay):
            if let failure = mismatch(replay.specification) { return [failed(replay.task, failure)] }
            return enqueue(.replayStage(replay), task: replay.task)
        case .hand(let asked): return hand(asked)
        case .stage(let shard, let stage): return take(stage, of: shard)
        case .noStage(let shard): return endFetch(shard)
        case .prepare(let task): return prepare(task)
        case .score(let score): return prepareScoring(score)
        case .adapters(let task, let adapters): return take(adapters: adapters, task: task)
        case .drop(let names):
            adapters.drop(names)
            return []
        case .taken(let task):
            results.drop(task)
            return []
        case .embed(let task, let source, let prompts):
            return enqueue(.embed(source: source, prompts: prompts), task: task)
        case .compare(let task, let comparison):
            if let failure = mismatch(comparison.settings.specification) { return [failed(task, failure)] }
            return enqueue(.compare(comparison), task: task)
        case .cancel(let task): return cancel(task)
        case .release(let shard): return release(shard)
        // Of the connection, which the service looks after.
        case .welcome, .refused, .heartbeat, .leave: return []
        }
    }

    /// As at a start, but for a job that takes a moment to stop.
    private mutating func letGo() -> [Action] {
        var fresh = WorkerLogic(executor: executor, copies: copies.keys.sorted().compactMap { copies[$0] })
        (fresh.shards, fresh.nextID, fresh.queue) = (shards, nextID, JobQueue(stopping: queue.running))
        self = fresh
        return (queue.running.map { [.cancel($0)] } ?? []) + [.forgetKeys]
    }

    private mutating func release(_ shard: Int) -> [Action] {
        (evidence[shard], goodStages[shard]) = (nil, nil)
        return abandon(shard: shard) + abandonPreparation(shard: shard) + [.storage(command(shard, .remove))]
    }

    // MARK: - Jobs

    mutating func enqueue(_ computation: Job.Computation, task: TaskID) -> [Action] {
        let job = makeJob(computation)
        tasks[job.id] = task
        computations[job.id] = computation
        return add(job)
    }

    mutating func add(_ job: Job) -> [Action] {
        if let job = queue.add(job) { return [.start(job)] }
        // A training that goes on for nobody yields to work that somebody wants.
        guard isConnected, let running = queue.running, let shard = shard(training: running),
            assignments[shard]?.task == nil
        else { return [] }
        return abandon(shard: shard)
    }

    private mutating func finish(_ job: JobID, _ outcome: JobOutcome) -> [Action] {
        shares[job] = nil
        let next = starting(queue.finish(job))
        let computation = computations.removeValue(forKey: job)
        if let task = tasks.removeValue(forKey: job) {
            results.note(outcome.content(of: computation), of: task)
            return [answer(outcome, task: task)].compactMap { $0 } + next
        }
        if let actions = prepared(job, outcome) { return actions + next }
        guard let shard = shard(training: job), var assignment = assignments[shard] else { return next }
        switch outcome {
        case .trained(let report, let adapter):
            var save = command(shard, .save(report, adapter: adapter))
            save.job = job
            assignment.phase = .saving(save.id, report, adapter)
            assignment.trainedBy = job
            evidence[shard] = nil
            noteGood(assignment.passed.union([assignment.begunAt].compactMap { $0 }), of: shard)
            assignments[shard] = assignment
            return [.storage(save)] + next
        case .failed(let failure):
            return (beginEarlier(assignment, failure) ?? giveUp(assignment, failure)) + next
        case .cancelled, .scored, .embedded, .prepared, .compared:
            return fail(shard: shard, TaskFailure(code: .cancelled, message: "the training was stopped")) + next
        }
    }

    private func answer(_ outcome: JobOutcome, task: TaskID) -> Action? {
        switch outcome {
        case .trained(let report, let adapter): return .send(.trained(task: task, report, adapter: adapter))
        case .scored(let margins, let tokens, let seconds):
            return .send(.scored(task: task, tokens: tokens, seconds: seconds, margins: margins))
        case .embedded(let values, let tokens, let seconds):
            return .send(.embedded(task: task, tokens: tokens, seconds: seconds, values: values))
        case .compared(let report): return .send(.compared(task: task, report))
        case .failed(let failure): return failed(task, failure)
        case .cancelled, .prepared: return nil
        }
    }

    private mutating func cancel(_ task: TaskID) -> [Action] {
        results.drop(task)
        if waitingScores.contains(where: { $0.task.task == task }) { return stopWaiting { $0 == task } }
        if let shard = shard(of: task) { return abandon(shard: shard) }
        if let shard = preparations.keys.sorted().first(where: { preparations[$0]?.task == task }) {
            return abandonPreparation(shard: shard)
        }
        let jobs = tasks.filter { $0.value == task }.keys.sorted()
        return jobs.flatMap { stop($0) }
    }

    mutating func stop(_ job: JobID) -> [Action] {
        (tasks[job], computations[job]) = (nil, nil)
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    // MARK: - Small parts

    func mismatch(_ specification: TrainingSpecification) -> TaskFailure? {
        if specification.base != executor.base {
            return TaskFailure(code: .wrongBase, message: "this worker has another base model")
        }
        if specification.precision != executor.precision {
            return TaskFailure(
                code: .wrongPrecision, message: "this worker computes in \(executor.precision.rawValue)")
        }
        return nil
    }

    func failed(_ task: TaskID, _ failure: TaskFailure) -> Action {
        .send(.failed(task: task, code: failure.code, message: failure.message))
    }

    func trained(
        _ report: TrainingReport, adapter: [UInt8], task: TaskID?
    ) -> [Action] {
        task.map { [.send(.trained(task: $0, report, adapter: adapter))] } ?? []
    }

    private func starting(_ job: Job?) -> [Action] { job.map { [.start($0)] } ?? [] }

    mutating func note(_ shard: Int) {
        let place = shards.firstIndex { $0 >= shard } ?? shards.endIndex
        if place == shards.endIndex || shards[place] != shard { shards.insert(shard, at: place) }
    }

    mutating func makeJob(_ computation: Job.Computation) -> Job { Job(id: makeID(), computation: computation) }

    mutating func command(_ shard: Int, _ access: StorageCommand.Access) -> StorageCommand {
        StorageCommand(id: makeID(), shard: shard, access: access)
    }

    private mutating func makeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }

    private func task(of job: JobID) -> TaskID? {
        tasks[job] ?? preparations.values.first { $0.phase == .computing(job) }?.task
            ?? shard(training: job).flatMap { assignments[$0]?.task }
    }

    func shard(of task: TaskID) -> Int? {
        assignments.keys.sorted().first { assignments[$0]?.task == task }
    }

    func shard(training job: JobID) -> Int? {
        assignments.keys.sorted().first { assignments[$0]?.phase == .training(job) }
    }
}
