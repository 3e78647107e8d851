import Messages
import Recommendation

/// What becomes of the work when the connection is lost and found again.
extension WorkerLogic {
    /// For the hello: what is being computed, waits to be, or is done and not known to have come.
    package var heldTasks: [HeldTask] {
        let trainings = assignments.keys.sorted().compactMap { assignments[$0] }.map { assignment in
            var content: HeldTask.Content?
            if assignment.adapter == nil, assignment.correction == nil {
                content = .training(
                    HeldTask.Training(
                        shard: assignment.shard, manifest: assignment.manifestDigest,
                        specification: assignment.specification))
            }
            return HeldTask(task: assignment.id, content: content, share: assignment.job.flatMap { shares[$0] } ?? 0)
        }
        let preparing = preparations.keys.sorted().compactMap { preparations[$0] }.map { HeldTask(task: $0.task) }
        let jobs = tasks.keys.sorted().compactMap { job in
            tasks[job].map { HeldTask(task: $0, content: computations[job]?.content, share: shares[job] ?? 0) }
        }
        let waiting = waitingScores.map { HeldTask(task: $0.task.task, content: $0.task.content) }
        return (results.heldTasks + trainings + preparing + jobs + waiting).fittingHello
    }

    mutating func connect(goingOnWith tasks: [TaskID]) -> [Action] {
        isConnected = true
        let wanted = Set(tasks)
        var actions: [Action] = []
        for job in self.tasks.keys.sorted() where !wanted.contains(self.tasks[job] ?? 0) { actions += stop(job) }
        for shard in preparations.keys.sorted() where !wanted.contains(preparations[shard]?.task ?? 0) {
            actions += abandonPreparation(shard: shard)
        }
        for shard in assignments.keys.sorted() { actions += goOn(shard, wanted) }
        actions += stopWaiting { !wanted.contains($0) }
        results.drop { !wanted.contains($0) }
        return actions + results.messages.map { .send($0) }
    }

    private mutating func goOn(_ shard: Int, _ wanted: Set<TaskID>) -> [Action] {
        guard var assignment = assignments[shard] else { return [] }
        guard wanted.contains(assignment.id) else {
            // A correction has in memory what was forgotten.
            if assignment.correction != nil || assignment.adapter != nil { return abandon(shard: shard) }
            assignment.task = nil
            assignments[shard] = assignment
            return offer(assignment) + endFetch(shard, isSure: true)
        }
        assignment.task = assignment.id
        assignments[shard] = assignment
        switch assignment.phase {
        case .waiting(let missing):
            return [.send(.need(task: assignment.id, digests: missing))] + offer(assignment)
        case .fetching(let fetch): return [wants(fetch.wanted, assignment)] + offer(assignment)
        default: return offer(assignment)
        }
    }

    /// What nobody can send now is not waited for.
    private mutating func beginFetching() -> [Action] {
        assignments.keys.sorted().flatMap { endFetch($0, isSure: true) }
    }

    /// Adapters are asked for anew: what must be dropped could not be heard of meanwhile.
    mutating func disconnect() -> [Action] {
        isConnected = false
        adapters = AdapterCache()
        for position in waitingScores.indices { waitingScores[position].asked = [] }
        return beginFetching()
    }
}

/// Answers that the coordinator has not confirmed.
struct HeldResults: Sendable {
    private var held: [(task: TaskID, message: WorkerMessage)] = []
    /// What they are functions of, as far as that is known.
    private var contents: [TaskID: HeldTask.Content] = [:]

    var heldTasks: [HeldTask] { held.map { HeldTask(task: $0.task, content: contents[$0.task], share: 1) } }
    var messages: [WorkerMessage] { held.map(\.message) }

    mutating func keep(_ message: WorkerMessage) {
        guard let task = message.answeredTask else { return }
        held.removeAll { $0.task == task }
        held.append((task, message))
        if held.count > WireLimits.heldTasks { contents[held.removeFirst().task] = nil }
    }

    /// - Parameter content: of the task's result, which is about to be kept.
    mutating func note(_ content: HeldTask.Content?, of task: TaskID) { contents[task] = content }

    mutating func drop(_ task: TaskID) { drop { $0 == task } }

    mutating func drop(where condition: (TaskID) -> Bool) {
        held.removeAll { condition($0.task) }
        contents = contents.filter { !condition($0.key) }
    }
}

extension Job.Computation {
    /// What another start of the coordinator may know it by; nil: nothing would.
    var content: HeldTask.Content? {
        switch self {
        case .train(let specification, let prompts, _):
            .replay(manifest: ShardManifest(of: prompts).digest, specification: specification)
        case .score(let task, _): task.content
        // It is of one slice, and no training of the whole.
        case .replayStage: nil
        case .embed(let source, let prompts): .embeddings(source, digests: prompts.map(\.digest))
        case .correct, .prepare, .compare: nil
        }
    }
}

extension CoordinatorMessage.ScoreTask {
    fileprivate var content: HeldTask.Content? {
        guard adapters.count == 1, weights.isEmpty else { return nil }
        return .margins(adapter: adapters[0], rule: rule, digests: prompts.map(\.digest))
    }
}

extension ShardAssignment {
    var job: JobID? {
        if case .training(let job) = phase { job } else { nil }
    }
}

extension WorkerMessage {
    /// The task for which this asks for something.
    var askingTask: TaskID? {
        switch self {
        case .need(let task, _), .lacks(let task, _): task
        default: nil
        }
    }
}

extension JobOutcome {
    /// Of a training that has ended the report says it.
    func content(of computation: Job.Computation?) -> HeldTask.Content? {
        switch self {
        case .trained(let report, _) where report.isExact && report.isWhole:
            .replay(manifest: report.manifest, specification: report.specification)
        case .scored, .embedded: computation?.content
        case .trained, .prepared, .compared, .cancelled, .failed: nil
        }
    }
}
