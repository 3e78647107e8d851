import Messages

/// What becomes known of trainings: for the log, for placement, and of whether they go on.
extension Coordinator {
    /// A line of what a worker begins, if it is a training.
    mutating func noteBeginning(of task: CoordinatorTask, on worker: KnownWorker) {
        guard task.isTraining else { return }
        log(
            "begins: \(task.work.description), task \(task.id), worker \(worker.title)", worker: worker.id,
            shard: task.shard, task: task.id, repeatsActions: true)
    }

    /// A line of a training that stops without a result: another worker gets it, or nobody wants it any more.
    mutating func noteStop(of task: CoordinatorTask, _ what: String) {
        guard task.isTraining else { return }
        log(
            "\(what): \(task.work.description), task \(task.id), worker \(title(of: task.worker))", worker: task.worker,
            shard: task.shard, task: task.id, repeatsActions: true)
    }

    /// How fast the worker trains, and a line of what was done.
    mutating func noteEnd(of task: CoordinatorTask, _ report: TrainingReport, by worker: KnownWorker) {
        let tokens = report.slices?.tokens ?? report.tokens
        trainedTokens = trainedTokens.addingSaturated(max(0, tokens))
        if report.isExact {
            roster.update(worker.id) { $0.pace.note(tokens: tokens, seconds: report.computeSeconds) }
        }
        log(
            "ended: \(task.work.description), task \(task.id), worker \(worker.title)", worker: worker.id,
            shard: task.shard, task: task.id, repeatsActions: true)
    }
}

extension WorkerMessage {
    /// Whether it tells something of the task.
    func concerns(_ task: CoordinatorTask) -> Bool {
        switch self {
        case .need(let id, _), .lacks(let id, _): id == task.id
        case .progress(let progress): progress.task == task.id
        case .holds(let copy): copy.shard == task.shardOfCopy
        case .staged(let id, _, _), .withdrawn(let id, _): id == task.id
        case .wants(let shard, _, _): shard == task.shardOfCopy
        default: answeredTask == task.id
        }
    }
}
