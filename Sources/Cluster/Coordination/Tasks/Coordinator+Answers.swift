import Messages

/// What comes of work that was given out: it could not be sent, a worker asks for what it needs for it, or it is done.
extension Coordinator {
    mutating func undelivered(_ id: TaskID, to peer: PeerID, _ error: ClientError) {
        guard let worker = roster.worker(at: peer) else { return }
        if failedToHand(id, error, by: worker) { return }
        if error.code == .stageDiffers {
            log("a stage was not handed on: \(error.message)", worker: worker.id)
            lookElsewhere(insteadOf: id)
        }
        guard let task = task(id, of: worker) else { return }
        if error.code == .stale {
            // The data changed between plan and dispatch; the snapshot that says so is on its way.
            if task.shardOfCopy != nil { send(.cancel(task: id), to: peer) }
            if case .part(let part) = task.kind, case .replay = part.item {
                remove(task)
            } else {
                tasks.remove(id)
                if case .part(let part) = task.kind { restart(part.operation) }
            }
            delay(task.work)
        } else if error.code == .diskFull {
            // The ledger has to write down whose disk gets what. That is no failure of the worker, and of nothing else.
            remove(task)
            delay(task.work, seconds: CoordinatorLimits.fullDiskSeconds)
        } else if error.code == .adapterDamaged, case .part(let part) = task.kind {
            // It would go on by itself, with another adapter than the one that was asked about.
            tasks.remove(id)
            failOperation(part.operation, error)
        } else if !missed(task, .failure, error) {
            remove(task)
            fail(task.work, on: worker.id, error)
        }
    }

    mutating func provide(_ digests: [String], for id: TaskID, to worker: KnownWorker) {
        guard let peer = worker.peer, let task = task(id, of: worker) else { return }
        switch task.kind {
        case .train(let index, let manifest), .correct(let index, let manifest), .copy(let index, let manifest):
            guard !digests.isEmpty, digests.count <= shard(index)?.prompts ?? 0 else { return }
            tasks.noteData(of: id)
            dispatch(.prompts(task: id, shard: index, manifest: manifest, digests: digests), to: peer)
        case .prepare, .values, .part, .check: return
        }
    }

    mutating func note(_ progress: WorkerMessage.TaskProgress, of worker: KnownWorker) {
        tasks.note(progress, of: worker.id)
    }

    mutating func trained(
        _ id: TaskID, _ report: TrainingReport, adapter: [UInt8], by worker: KnownWorker
    ) {
        guard let task = task(id, of: worker) else { return }
        guard report.specification == settings.configuration.training, isOfAsMuch(report, as: task) else {
            return failed(id, .badReport, by: worker)
        }
        switch task.kind {
        case .train(let shard, let manifest), .correct(let shard, let manifest), .copy(let shard, let manifest):
            let isCorrection = if case .correct = task.kind { true } else { false }
            guard report.manifest == manifest, isCorrection == !report.isExact else {
                return failed(id, .badReport, by: worker)
            }
            tasks.remove(task.id)
            if task.isTraining { noteEnd(of: task, report, by: worker) }
            settle(worker, copy(of: shard, after: report, by: worker))
            switch task.kind {
            case .train, .correct:
                write(.publish(shard: shard, report: report, adapter: adapter, worker: worker.id))
            default: break
            }
        case .part(let part) where part.isReplay:
            noteEnd(of: task, report, by: worker)
            replayed(part, report: report, adapter: adapter, task: task, by: worker)
        case .check(let shard, let manifest):
            noteEnd(of: task, report, by: worker)
            checked(shard: shard, manifest: manifest, report, adapter: adapter, task: task, by: worker)
        case .prepare, .values, .part:
            failed(id, .badReport, by: worker)
        }
    }

    mutating func failed(_ id: TaskID, _ error: ClientError, by worker: KnownWorker) {
        if failedToHand(id, error, by: worker) { return }
        guard let task = task(id, of: worker) else { return }
        if error.code == .stageDiffers, differs(task) { return }
        if missed(task, .failure, error) { return }
        remove(task)
        fail(task.work, on: worker.id, error)
    }
}

extension ClientError {
    static let badReport = ClientError(code: .badReport, message: "the worker's answer does not fit its task")
}
