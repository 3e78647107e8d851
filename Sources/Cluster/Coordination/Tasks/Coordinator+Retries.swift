import Messages

/// Work that fails is tried on another worker, a bounded number of times; then it rests for a while. Tasks of a lost worker
/// are no failures: `lose` puts them back.
extension Coordinator {
    func failure(of work: WorkItem) -> WorkItemFailures? {
        failures.first { $0.work == work }
    }

    /// Whether the work rests after failures.
    func isPaused(_ work: WorkItem) -> Bool {
        failure(of: work)?.pausedUntil.map { $0 > now } ?? false
    }

    /// Counts a failure of the work on a worker.
    mutating func fail(_ work: WorkItem, on worker: String, _ error: ClientError) {
        var record =
            failure(of: work) ?? WorkItemFailures(work: work, count: 0, worker: worker, error: error, pausedUntil: nil)
        record.count += 1
        record.worker = worker
        record.error = error
        if record.count >= CoordinatorLimits.attempts {
            record.pausedUntil = now.advanced(bySeconds: pause(after: error, of: work))
        }
        failures.removeAll { $0.work == work }
        failures.append(record)
        noteFailure(work)
        if case .correct(let shard) = work { giveUpCorrection(of: shard, after: record) }
        let who = worker.isEmpty ? "" : ", worker \(title(of: worker))"
        log(
            "failed: \(work.description), attempt \(record.count)\(who), \(error.code)",
            worker: worker.isEmpty ? nil : worker)
    }

    /// A training is a function of its data: where it diverged it does so again, until the data changes or somebody asks for it.
    private func pause(after error: ClientError, of work: WorkItem) -> Double {
        if case .train = work, error.code == .notFinite { return CoordinatorLimits.pauseAfterDivergenceSeconds }
        return CoordinatorLimits.pauseAfterFailureSeconds
    }

    mutating func succeeded(_ work: WorkItem) {
        guard let position = failures.firstIndex(where: { $0.work == work }) else { return }
        failures.remove(at: position)
        noteFailure(work)
    }

    /// Work that is not to be given out for a moment, without counting as failed.
    mutating func delay(_ work: WorkItem, seconds: Double = CoordinatorLimits.staleSeconds) {
        var record =
            failure(of: work)
            ?? WorkItemFailures(
                work: work, count: 0, worker: "", error: ClientError(code: .stale, message: ""))
        record.pausedUntil = now.advanced(bySeconds: seconds)
        failures.removeAll { $0.work == work }
        failures.append(record)
        noteFailure(work)
    }

    mutating func resumePausedWork() {
        guard !failures.isEmpty else { return }
        for position in failures.indices {
            guard let until = failures[position].pausedUntil, until <= now else { continue }
            failures[position].pausedUntil = nil
            failures[position].count = min(failures[position].count, CoordinatorLimits.attempts - 1)
            noteFailure(failures[position].work)
        }
        failures.removeAll { $0.count == 0 && $0.pausedUntil == nil }
    }

    /// The error of the first work that rests because it failed too often, of those that a condition names.
    func exhausted(among condition: (WorkItem) -> Bool) -> ClientError? {
        failures.first { $0.count >= CoordinatorLimits.attempts && isPaused($0.work) && condition($0.work) }
            .map { record in
                ClientError(
                    code: record.error.code,
                    message: "\(record.work.description) failed \(CoordinatorLimits.attempts) times, last on worker "
                        + "\(title(of: record.worker)): \(record.error.message)")
            }
    }
}

extension WorkItem {
    /// Names no operation: it is shown also to those whom requests do not concern.
    var description: String {
        switch self {
        case .train(let shard): "training shard \(shard)"
        case .correct(let shard): "correcting shard \(shard)"
        case .prepare(let shard): "preparing shard \(shard)"
        case .copy(let shard): "moving shard \(shard)"
        case .check(let shard): "training shard \(shard) a second time"
        case .values(.embeddings): "embedding prompts"
        case .values(.margins): "scoring validation prompts"
        case .operation: "work of an operation"
        }
    }
}
