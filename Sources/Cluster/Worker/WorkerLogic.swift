import LanguageModels
import Recommendation
import Unlearning

/// What a worker answers and does: a value that handles events. It has no sockets, files, threads or clock.
///
/// A task's id belongs to the connection on which it came. When the connection is lost, scoring, embedding and replays are
/// given up; a shard's assignment goes on without an id until the coordinator assigns the same again, or wants other work.
package struct WorkerLogic: Sendable {
    package enum Event: Sendable {
        case connected
        case disconnected
        case message(CoordinatorMessage)
        case storage(StorageResult)
        case progress(JobID, WorkerMessage.TaskProgress)
        case finished(JobID, JobOutcome)
    }

    package enum Action: Sendable, Equatable {
        case send(WorkerMessage)
        case storage(StorageCommand)
        /// Only while no other job runs.
        case start(Job)
        /// The running job should stop; `finished` follows.
        case cancel(JobID)
        case log(String)
    }

    private let executor: ExecutorDescription
    private var isConnected = false
    private var holdings: [Int: WorkerMessage.Holding]
    private var assignments: [Int: ShardAssignment] = [:]
    /// By shard.
    private var preparations: [Int: ShardPreparation] = [:]
    private var queue = JobQueue()
    /// Tasks of the jobs that belong to no shard.
    private var tasks: [JobID: TaskID] = [:]
    private var nextID: UInt64 = 1

    package init(executor: ExecutorDescription, holdings: [WorkerMessage.Holding]) {
        self.executor = executor
        self.holdings = Dictionary(holdings.map { ($0.shard, $0) }, uniquingKeysWith: { _, last in last })
    }

    /// Sorted by shard; for the hello.
    package var currentHoldings: [WorkerMessage.Holding] {
        holdings.keys.sorted().compactMap { holdings[$0] }
    }

    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .connected:
            isConnected = true
            return []
        case .disconnected: return disconnect()
        case .message(let message): return handle(message)
        case .storage(let result): return handle(result)
        case .progress(let job, var progress):
            guard let task = task(of: job) else { return [] }
            progress.task = task
            return [.send(.progress(progress))]
        case .finished(let job, let outcome): return finish(job, outcome)
        }
    }

    private mutating func handle(_ message: CoordinatorMessage) -> [Action] {
        switch message {
        case .assign(let assignment): return assign(assignment)
        case .prompts(let task, let prompts): return take(prompts, task: task)
        case .replay(let task, let specification, let prompts):
            if let failure = mismatch(specification) { return [failed(task, failure)] }
            let manifest = ShardManifest(
                entries: prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) })
            return enqueue(
                .train(shard: -1, manifest: manifest.digest, specification: specification, prompts: prompts),
                task: task)
        case .prepare(let task, let shard, let manifest, let adapter):
            return prepare(task: task, shard: shard, manifest: manifest, adapter: adapter)
        case .score(let score): return enqueue(.score(score), task: score.task)
        case .embed(let task, let source, let prompts):
            return enqueue(.embed(source: source, prompts: prompts), task: task)
        case .compare(let task, let comparison):
            if let failure = mismatch(comparison.settings.specification) { return [failed(task, failure)] }
            return enqueue(.compare(comparison), task: task)
        case .cancel(let task): return cancel(task)
        case .release(let shard):
            return abandon(shard: shard) + abandonPreparation(shard: shard) + [.storage(command(shard, .remove))]
        // Of the connection, which the shell looks after.
        case .welcome, .refused, .heartbeat: return []
        }
    }

    // MARK: - Assignments

    private mutating func assign(_ assignment: CoordinatorMessage.Assignment) -> [Action] {
        if let failure = mismatch(assignment.specification) { return [failed(assignment.task, failure)] }
        if assignment.shard < 0 {
            return [failed(assignment.task, TaskFailure(code: "invalid-task", message: "no shard is negative"))]
        }
        if var current = assignments[assignment.shard], current.isSame(as: assignment) {
            current.task = assignment.task
            assignments[assignment.shard] = current
            guard case .waiting(let missing) = current.phase else { return [] }
            return [.send(.need(task: assignment.task, digests: missing))]
        }
        // A preparation yields to a training, and goes with the data that it is made from.
        let yielding = preparations.keys.sorted().filter {
            assignment.adapter == nil
                || ($0 == assignment.shard && preparations[$0]?.manifest != assignment.manifest.digest)
        }
        let abandoned = abandon(shard: assignment.shard) + yielding.flatMap { abandonPreparation(shard: $0) }
        var new = ShardAssignment(assignment, phase: .waiting([]))
        let update = command(assignment.shard, new.update(offered: []))
        new.phase = .updating(update.id)
        assignments[assignment.shard] = new
        return abandoned + [.storage(update)]
    }

    private mutating func take(_ prompts: [TrainingPrompt], task: TaskID) -> [Action] {
        guard let shard = shard(of: task), var assignment = assignments[shard],
            case .waiting(let missing) = assignment.phase
        else { return [] }
        let wanted = Set(missing)
        guard prompts.contains(where: { wanted.contains($0.digest) }) else {
            let failure = TaskFailure(code: "prompts-missing", message: "the prompts sent are not those asked for")
            return fail(shard: shard, failure)
        }
        let update = command(shard, assignment.update(offered: prompts))
        assignment.phase = .updating(update.id)
        assignments[shard] = assignment
        return [.storage(update)]
    }

    private mutating func handle(_ result: StorageResult) -> [Action] {
        // Results come in the order of the commands, so this is always the newest.
        holdings[result.shard] = result.holding
        if case .removed = result.outcome {
            return isConnected ? [.send(.released(shard: result.shard))] : []
        }
        if let actions = prepared(result) { return actions }
        guard var assignment = assignments[result.shard], assignment.operation == result.id else {
            if case .failed(let failure) = result.outcome {
                return [.log("storage of shard \(result.shard): \(failure.message)")]
            }
            return []
        }
        assignment.preparation = assignment.preparation ?? result.preparation
        switch (assignment.phase, result.outcome) {
        case (.saving(_, let report, let adapter), let outcome):
            assignments[result.shard] = nil
            var actions: [Action] = []
            // The adapter is good even if it could not be kept.
            if case .failed(let failure) = outcome {
                actions.append(.log("the adapter of shard \(result.shard) is not kept: \(failure.message)"))
            }
            return actions + trained(report, adapter: adapter, task: assignment.task)
        case (_, .failed(let failure)): return fail(shard: result.shard, failure)
        case (_, .missing(let digests)):
            assignment.phase = .waiting(digests)
            assignments[result.shard] = assignment
            return assignment.task.map { [.send(.need(task: $0, digests: digests))] } ?? []
        case (_, .complete(let prompts, let stored)):
            return complete(assignment, prompts: prompts, stored: stored, holding: result.holding)
        case (_, .saved), (_, .removed): return []
        }
    }

    private mutating func complete(
        _ assignment: ShardAssignment, prompts: [TrainingPrompt], stored: StorageResult.Trained?,
        holding: WorkerMessage.Holding?
    ) -> [Action] {
        var assignment = assignment
        var actions: [Action] = []
        if assignment.task != nil, let holding { actions.append(.send(.holds(holding))) }
        if assignment.adapter != nil {
            assignments[assignment.shard] = nil
            return actions
        }
        if let stored, assignment.isAnswered(by: stored.report) {
            assignments[assignment.shard] = nil
            return actions + trained(stored.report, adapter: stored.adapter, task: assignment.task)
        }
        let job: Job
        if let correction = assignment.correction {
            job = makeJob(
                .correct(
                    shard: assignment.shard, manifest: assignment.manifestDigest, correction, prompts: prompts,
                    preparation: assignment.preparation))
            assignment.preparation = nil
        } else {
            job = makeJob(
                .train(
                    shard: assignment.shard, manifest: assignment.manifestDigest,
                    specification: assignment.specification, prompts: prompts))
        }
        assignment.phase = .training(job.id)
        assignments[assignment.shard] = assignment
        return actions + add(job)
    }

    /// Gives up what is under way for a shard; what the disk holds of it stays.
    private mutating func abandon(shard: Int) -> [Action] {
        guard let assignment = assignments.removeValue(forKey: shard) else { return [] }
        guard case .training(let job) = assignment.phase else { return [] }
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    private mutating func fail(shard: Int, _ failure: TaskFailure) -> [Action] {
        let task = assignments.removeValue(forKey: shard)?.task
        return [.log("shard \(shard): \(failure.code): \(failure.message)")]
            + (task.map { [failed($0, failure)] } ?? [])
    }

    // MARK: - Jobs

    private mutating func enqueue(_ work: Job.Work, task: TaskID) -> [Action] {
        let job = makeJob(work)
        tasks[job.id] = task
        return add(job)
    }

    private mutating func add(_ job: Job) -> [Action] {
        if let job = queue.add(job) { return [.start(job)] }
        // A training that goes on for nobody yields to work that somebody wants.
        guard isConnected, let running = queue.running, let shard = shard(training: running),
            assignments[shard]?.task == nil
        else { return [] }
        return abandon(shard: shard)
    }

    private mutating func finish(_ job: JobID, _ outcome: JobOutcome) -> [Action] {
        let next = starting(queue.finish(job))
        if let task = tasks.removeValue(forKey: job) {
            return [answer(outcome, task: task)].compactMap { $0 } + next
        }
        if let actions = prepared(job, outcome) { return actions + next }
        guard let shard = shard(training: job), var assignment = assignments[shard] else { return next }
        switch outcome {
        case .trained(let report, let adapter):
            let save = command(shard, .save(report, adapter: adapter, specification: assignment.specification))
            assignment.phase = .saving(save.id, report, adapter)
            assignments[shard] = assignment
            return [.storage(save)] + next
        case .failed(let failure): return fail(shard: shard, failure) + next
        case .cancelled, .scored, .embedded, .prepared, .compared:
            return fail(shard: shard, TaskFailure(code: "cancelled", message: "the training was stopped")) + next
        }
    }

    private func answer(_ outcome: JobOutcome, task: TaskID) -> Action? {
        switch outcome {
        case .trained(var report, let adapter):
            report.task = task
            return .send(.trained(report, adapter: adapter))
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
        if let shard = shard(of: task) { return abandon(shard: shard) }
        if let shard = preparations.keys.sorted().first(where: { preparations[$0]?.task == task }) {
            return abandonPreparation(shard: shard)
        }
        let jobs = tasks.filter { $0.value == task }.keys.sorted()
        return jobs.flatMap { stop($0) }
    }

    private mutating func stop(_ job: JobID) -> [Action] {
        tasks[job] = nil
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    private mutating func disconnect() -> [Action] {
        isConnected = false
        for shard in assignments.keys { assignments[shard]?.task = nil }
        return preparations.keys.sorted().flatMap { abandonPreparation(shard: $0) }
            + tasks.keys.sorted().flatMap { stop($0) }
    }

    // MARK: - Preparations

    private mutating func prepare(task: TaskID, shard: Int, manifest: String, adapter: [UInt8]) -> [Action] {
        guard assignments[shard] == nil else {
            return [failed(task, TaskFailure(code: "busy", message: "shard \(shard) is being worked on"))]
        }
        let abandoned = abandonPreparation(shard: shard)
        let read = command(shard, .read(manifest: manifest))
        preparations[shard] = ShardPreparation(
            task: task, manifest: manifest, adapter: adapter, phase: .reading(read.id))
        return abandoned + [.storage(read)]
    }

    private mutating func abandonPreparation(shard: Int) -> [Action] {
        guard let preparation = preparations.removeValue(forKey: shard),
            case .computing(let job) = preparation.phase
        else { return [] }
        return queue.cancel(job) ? [.cancel(job)] : []
    }

    /// nil: the result belongs to something else.
    private mutating func prepared(_ result: StorageResult) -> [Action]? {
        guard var preparation = preparations[result.shard] else { return nil }
        switch (preparation.phase, result.outcome) {
        case (.reading(result.id), .complete(let prompts, _)):
            let job = makeJob(.prepare(shard: result.shard, prompts: prompts, adapter: preparation.adapter))
            preparation.phase = .computing(job.id)
            preparations[result.shard] = preparation
            return add(job)
        case (.keeping(result.id, let seconds), .saved):
            preparations[result.shard] = nil
            return [
                .send(
                    .prepared(
                        task: preparation.task, shard: result.shard, adapter: result.holding?.prepared ?? "",
                        seconds: seconds))
            ]
        case (.reading(result.id), .failed(let failure)), (.keeping(result.id, _), .failed(let failure)):
            preparations[result.shard] = nil
            return [failed(preparation.task, failure)]
        default: return nil
        }
    }

    private mutating func prepared(_ job: JobID, _ outcome: JobOutcome) -> [Action]? {
        let found = preparations.keys.sorted().first { preparations[$0]?.phase == .computing(job) }
        guard let shard = found, var preparation = preparations[shard] else { return nil }
        switch outcome {
        case .prepared(let made, let seconds):
            let keep = command(shard, .keep(made, manifest: preparation.manifest))
            preparation.phase = .keeping(keep.id, seconds: seconds)
            preparations[shard] = preparation
            return [.storage(keep)]
        case .failed(let failure):
            preparations[shard] = nil
            return [failed(preparation.task, failure)]
        default:
            preparations[shard] = nil
            return [failed(preparation.task, TaskFailure(code: "cancelled", message: "the preparation was stopped"))]
        }
    }

    // MARK: - Small parts

    private func mismatch(_ specification: TrainingSpecification) -> TaskFailure? {
        if specification.base != executor.base {
            return TaskFailure(code: "wrong-base", message: "this worker has another base model")
        }
        if specification.precision != executor.precision {
            return TaskFailure(
                code: "wrong-precision", message: "this worker computes in \(executor.precision.rawValue)")
        }
        return nil
    }

    private func failed(_ task: TaskID, _ failure: TaskFailure) -> Action {
        .send(.failed(task: task, code: failure.code, message: failure.message))
    }

    private func trained(
        _ report: WorkerMessage.TrainedReport, adapter: [UInt8], task: TaskID?
    ) -> [Action] {
        guard let task else { return [] }
        var report = report
        report.task = task
        return [.send(.trained(report, adapter: adapter))]
    }

    private func starting(_ job: Job?) -> [Action] { job.map { [.start($0)] } ?? [] }

    private mutating func makeJob(_ work: Job.Work) -> Job { Job(id: makeID(), work: work) }

    private mutating func command(_ shard: Int, _ work: StorageCommand.Work) -> StorageCommand {
        StorageCommand(id: makeID(), shard: shard, work: work)
    }

    private mutating func makeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }

    private func task(of job: JobID) -> TaskID? {
        tasks[job] ?? preparations.values.first { $0.phase == .computing(job) }?.task
            ?? shard(training: job).flatMap { assignments[$0]?.task }
    }

    private func shard(of task: TaskID) -> Int? {
        assignments.keys.sorted().first { assignments[$0]?.task == task }
    }

    private func shard(training job: JobID) -> Int? {
        assignments.keys.sorted().first { assignments[$0]?.phase == .training(job) }
    }
}
