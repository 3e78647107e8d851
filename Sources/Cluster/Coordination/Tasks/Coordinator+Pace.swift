import Messages

/// How long work may take in all, though its worker tells of it: as long as others that were measured make likely, many times over.
extension Coordinator {
    /// Steps of a training on the task's data at most, in however many slices; nil: it is not of a known amount of data.
    private func trainingSteps(of task: CoordinatorTask) -> Int? {
        let prompts: Int? =
            switch task.kind {
            case .train(let index, _), .correct(let index, _), .copy(let index, _), .check(let index, _):
                shard(index)?.prompts
            // Data of before may be more than the shard has now.
            case .part(let part): part.isReplay || part.comparisonCase != nil ? snapshot.trainingPrompts : nil
            case .prepare, .values: nil
            }
        let training = settings.configuration.training
        return prompts.map { training.epochs * ($0 / max(1, training.batch) + training.slices) }
    }

    /// Steps that the task's worker may tell of; nil: they are counted in some other way.
    func mostSteps(of task: CoordinatorTask) -> Int? {
        switch task.kind {
        case .train, .check: trainingSteps(of: task)
        case .part(let part): part.isReplay ? trainingSteps(of: task) : part.comparisonCase == nil ? 0 : nil
        case .correct, .prepare: nil
        case .copy, .values: 0
        }
    }

    /// Takes work away from whoever needs many times as long for it as was seen before, where somebody else is there to do it: who
    /// is alone is given it again.
    mutating func withdrawEndlessTasks() {
        guard roster.workingCount > 1 else { return }
        let now = now
        let old = tasks.ids { task in
            guard task.awaitedUntil == nil, let began = task.headway.began else { return false }
            return now.seconds(since: began) >= CoordinatorLimits.standstillSeconds
        }
        guard !old.isEmpty else { return }
        let paces = Paces(roster.workers)
        for task in old.compactMap({ tasks[$0] }) where !task.isComparison {
            guard let began = task.headway.began, let bound = longest(task, paces) else { continue }
            guard now.seconds(since: began) >= bound else { continue }
            remove(task)
            if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
            let message = "worker \(title(of: task.worker)) took longer than \(Int(bound)) s"
            fail(task.work, on: task.worker, ClientError(code: .silent, message: message))
        }
    }

    /// Seconds; nil: nobody knows yet.
    private func longest(_ task: CoordinatorTask, _ paces: Paces) -> Double? {
        guard let steps = trainingSteps(of: task), let pace = paces.slowest(for: task.worker) else { return nil }
        let doublings = min(8, failure(of: task.work)?.count ?? 0)
        let seconds = CoordinatorLimits.standstillSeconds + CoordinatorLimits.slowdown * pace * Double(steps)
        return seconds * Double(1 << doublings)
    }

    /// How long a comparison's worker need not come to another row; nil: nobody knows yet.
    func longestRow(_ task: CoordinatorTask) -> Double? {
        guard let steps = trainingSteps(of: task), let pace = Paces(roster.workers).slowest(for: task.worker) else {
            return nil
        }
        return CoordinatorLimits.standstillSeconds + CoordinatorLimits.slowdownOfRows * pace * Double(steps)
    }
}

/// Seconds that workers took for a step of a training when they were fastest. A worker is measured by its own, or by the slowest
/// other's if that is more: what one says of itself makes nobody else's time shorter, and its own no longer than it was.
private struct Paces {
    private var own: [String: Double] = [:]
    private var slowest: (worker: String, seconds: Double)?
    /// Without the slowest worker.
    private var next: Double?

    init(_ workers: [KnownWorker]) {
        for worker in workers {
            guard let seconds = worker.pace.secondsPerStep else { continue }
            own[worker.id] = seconds
            if let before = slowest, before.seconds >= seconds {
                next = max(next ?? seconds, seconds)
            } else {
                next = slowest?.seconds
                slowest = (worker.id, seconds)
            }
        }
    }

    func slowest(for worker: String) -> Double? {
        let others = slowest?.worker == worker ? next : slowest?.seconds
        return [own[worker], others].compactMap { $0 }.max()
    }
}
