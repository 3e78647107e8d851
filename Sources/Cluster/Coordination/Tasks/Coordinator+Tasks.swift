import Messages

/// Work is given out, called back, and given out again.
extension Coordinator {
    func task(_ id: TaskID, of worker: KnownWorker) -> CoordinatorTask? {
        tasks[id].flatMap { $0.worker == worker.id ? $0 : nil }
    }

    // MARK: giving out

    /// First every worker's own training, then data to keep, then the training of an evaluation, which takes longest, then
    /// chunks of rows and evaluations spread over those who are free, then replays, then comparisons, and preparations for
    /// requests to come when there is nothing else to do. Workers with a `BackgroundTurn` use it before their next training.
    mutating func giveOutTasks() {
        refresh()
        if tasks.comparisons > 0 { yieldComparisons() }
        giveChecks(beforeTrainings: true)
        let waiting = WaitingParts(operations.readers)
        if waiting.replays, !index.trainable.isEmpty {
            for worker in known(free) where worker.turn.replays > 0 && shardToTrain(by: worker) != nil {
                giveTraining(.replay, to: worker)
            }
        }
        if !index.trainable.isEmpty || !index.toBeKept.isEmpty {
            for id in free where index.trainable[id] != nil || index.toBeKept[id] != nil {
                if let worker = roster[id] { giveShardTask(to: worker) }
            }
        }
        giveStaleCopies()
        giveInheritedCopies()
        refresh()
        giveChecks(beforeTrainings: false)
        if waiting.singles { for worker in known(free) { giveTraining(.singleTraining, to: worker) } }
        if waiting.chunks || !wantedValues.isEmpty {
            for round in 1...CoordinatorLimits.tasksPerWorker {
                for worker in known(spare) where isFreeForChunks(worker, below: round) { giveChunk(to: worker) }
            }
        }
        if waiting.replays { for worker in known(free) { giveTraining(.replay, to: worker) } }
        if waiting.cases { for worker in known(free) { giveComparison(to: worker) } }
        givePreparations()
    }

    func known(_ ids: [String]) -> [KnownWorker] { ids.compactMap { roster[$0] } }

    /// Which kinds of parts of operations wait for a worker.
    private struct WaitingParts {
        var singles = false
        var chunks = false
        var replays = false
        var cases = false

        init(_ readers: [Operation]) {
            for operation in readers where operation.state == .running {
                if let todo = operation.scoring?.todo, !todo.isEmpty {
                    singles = singles || todo.contains(.single)
                    chunks = chunks || todo.contains { $0 != .single }
                }
                replays = replays || operation.replays?.todo.isEmpty == false
                cases = cases || operation.cases?.todo.isEmpty == false
            }
        }
    }

    /// Whether the worker has no task but such that take data into keeping.
    func hasOnlyCopies(_ worker: String) -> Bool {
        let load = tasks.load(of: worker)
        return load.ids.count == load.copies
    }

    private mutating func giveShardTask(to worker: KnownWorker) {
        guard let peer = worker.peer, hasOnlyCopies(worker.id) else { return }
        let specification = settings.configuration.training
        let next = usesTurnForChunks(worker) ? nil : shardToTrain(by: worker)
        if let shard = next, shard.correction != nil {
            let id = give(.correct(shard: shard.index, manifest: shard.manifest), to: worker)
            roster.update(worker.id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
            dispatch(
                .correct(
                    task: id, shard: shard.index, manifest: shard.manifest, specification: specification,
                    to: worker.holder), to: peer)
        } else if let shard = next {
            let id = give(.train(shard: shard.index, manifest: shard.manifest), to: worker)
            roster.update(worker.id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
            dispatch(
                .assign(
                    task: id, shard: shard.index, manifest: shard.manifest, specification: specification, adapter: nil,
                    to: worker.holder), to: peer)
        } else if let shard = shardToKeep(by: worker) {
            giveCopy(of: shard, to: worker)
        }
    }

    private func isFreeForChunks(_ worker: KnownWorker, below count: Int) -> Bool {
        let own = tasks.load(of: worker.id)
        return own.ids.count < count && own.trainings == 0
            && (shardToTrain(by: worker) == nil || (roster[worker.id]?.turn.chunks ?? 0) > 0)
    }

    /// Whether chunks wait that the worker does before its next training.
    private func usesTurnForChunks(_ worker: KnownWorker) -> Bool {
        worker.turn.chunks > 0 && (nextBacklog(for: worker) != nil || hasChunkOfOperation(for: worker))
    }

    private mutating func giveChunk(to worker: KnownWorker) {
        guard let peer = worker.peer else { return }
        let before = tasks.count
        defer {
            if tasks.count > before { roster.update(worker.id) { $0.turn.chunks = max(0, $0.turn.chunks - 1) } }
        }
        if let (kind, digests) = nextValues(for: worker) {
            let id = give(.values(kind, digests: digests), to: worker)
            switch kind {
            case .embeddings:
                dispatch(
                    .embed(
                        task: id, source: settings.configuration.embedding, scope: .prompt, digests: digests), to: peer)
            case .margins(let adapter):
                dispatch(
                    .score(
                        task: id, rule: settings.configuration.rule, adapters: [.published(name: adapter)], weights: [],
                        digests: digests), to: peer)
            }
        } else if let part = nextPart(.chunk, for: worker) {
            let id = give(.part(part), to: worker)
            if let message = message(for: part, task: id) { dispatch(message, to: peer) }
        }
    }

    private mutating func giveTraining(_ kind: PartKind, to worker: KnownWorker) {
        guard let peer = worker.peer, hasOnlyCopies(worker.id),
            shardToTrain(by: worker) == nil || (kind == .replay && (roster[worker.id]?.turn.replays ?? 0) > 0),
            let part = nextPart(kind, for: worker)
        else { return }
        let id = give(.part(part), to: worker)
        if let message = message(for: part, task: id) {
            dispatch(message, to: peer)
        } else {
            fetchStage(for: part, task: id, by: worker)
        }
    }

    mutating func give(_ kind: CoordinatorTask.Kind, to worker: KnownWorker) -> TaskID {
        defer { nextTask += 1 }
        var task = CoordinatorTask(id: nextTask, worker: worker.id, kind: kind, lastNews: now)
        task.isWithoutData =
            task.copy.map { worker.copy(of: $0.shard)?.manifests.contains($0.manifest) != true } ?? false
        switch kind {
        case .train(let shard, _), .correct(let shard, _):
            lastTrainings[shard] = nextTask
            let isCorrection = if case .correct = kind { true } else { false }
            roster.update(worker.id) {
                $0.turn = .full
                $0.correctedLast = isCorrection
            }
        case .check: roster.update(worker.id) { $0.turn.replays = max(0, $0.turn.replays - 1) }
        case .part(let part) where part.isReplay:
            roster.update(worker.id) { $0.turn.replays = max(0, $0.turn.replays - 1) }
        case .prepare, .copy, .values, .part: break
        }
        tasks.add(task)
        noteBeginning(of: task, on: worker)
        return nextTask
    }

    // MARK: calling back

    /// Cancels what nobody needs any more.
    mutating func dropUnwantedTasks() {
        refresh()
        let changed = changes.take(.tasks)
        let restarted = operations.restarted
        operations.restarted = []
        guard !changed.isEmpty || !restarted.isEmpty || settings.configuration.preparesInfluence else { return }
        var concerned = changed.flatMap { tasks.ids(about: .shard($0)) }
        if scoredRevision != index.revision {
            scoredRevision = index.revision
            concerned += tasks.ids(about: .rows)
        }
        if !restarted.isEmpty { concerned += tasks.ids(about: .part) }
        concerned += tasks.ids(about: .preparation)
        for id in concerned.sorted() {
            if let task = tasks[id], !isWanted(task) { cancel(task) }
        }
    }

    func isWanted(_ task: CoordinatorTask) -> Bool {
        switch task.kind {
        case .train(let index, let manifest):
            guard let shard = shard(index) else { return false }
            return shard.manifest == manifest && wantsTraining(shard) && shard.correction == nil
        case .correct(let index, let manifest):
            guard let shard = shard(index) else { return false }
            return shard.manifest == manifest && wantsTraining(shard) && shard.correction != nil
        case .prepare(let index, let manifest, let adapter):
            // Nothing of it would stay.
            guard roster[task.worker]?.duty != .drain else { return false }
            return isWantedPreparation(shard: index, manifest: manifest, adapter: adapter)
        case .copy(let index, let manifest):
            guard let shard = shard(index) else { return false }
            return shard.manifest == manifest
        case .values(.embeddings, _): return true
        case .values(.margins(let name), _): return index.named[name] != nil
        case .part(let part): return isCurrent(part)
        case .check(let shard, let manifest): return isWantedCheck(shard: shard, manifest: manifest)
        }
    }

    mutating func cancel(_ task: CoordinatorTask) {
        tasks.remove(task.id)
        if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
    }

    /// Takes tasks away from a worker and puts their work back into the queues. Returns their ids.
    @discardableResult
    mutating func withdrawTasks(of worker: String, where condition: (CoordinatorTask) -> Bool) -> [TaskID] {
        let withdrawn = tasks.tasks(of: worker).filter(condition)
        for task in withdrawn { remove(task) }
        return withdrawn.map(\.id)
    }

    /// Takes the task out and puts its work back.
    mutating func remove(_ task: CoordinatorTask) {
        tasks.remove(task.id)
        switch task.kind {
        case .train, .correct, .prepare, .copy, .check: break
        case .values(let kind, let digests): putBack(digests, of: kind)
        case .part(let part): putBack(part)
        }
    }

    /// A worker does its tasks one after another: news of one is news for those that wait behind it, but for those that have
    /// the worker for themselves, or no part in its computing.
    ///
    /// - Parameter message: nil: bytes of some message.
    mutating func noteNews(of worker: String, in message: WorkerMessage? = nil) {
        for task in tasks.tasks(of: worker) {
            if let message, task.isPaced, !message.concerns(task) { continue }
            tasks.setNews(task.id, at: now)
        }
    }

    /// How long nothing need be heard of the task.
    private func silence(of task: CoordinatorTask) -> Double {
        guard task.isPaced else { return settings.silenceSeconds }
        let doublings = min(8, failure(of: task.work)?.count ?? 0)
        return min(settings.silenceSeconds, settings.progressSeconds * Double(1 << doublings))
    }

    mutating func withdrawSilentTasks() {
        let shortest = min(settings.progressSeconds, settings.silenceSeconds)
        let now = now
        let quiet = tasks.ids { $0.awaitedUntil == nil && now.seconds(since: $0.lastNews) >= shortest }
        for task in quiet.compactMap({ tasks[$0] }) where now.seconds(since: task.lastNews) >= silence(of: task) {
            let seconds = Int(silence(of: task))
            remove(task)
            if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
            fail(
                task.work, on: task.worker,
                ClientError(code: .silent, message: "worker \(title(of: task.worker)) said nothing for \(seconds) s"))
        }
    }

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
        } else {
            remove(task)
            fail(task.work, on: worker.id, error)
        }
    }

    // MARK: answers

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
            let copy = ShardCopy(
                shard: shard, manifest: manifest, prompts: self.shard(shard)?.prompts ?? 0, adapter: report.adapter,
                stages: stages(of: report, keptBy: worker, shard: shard))
            settle(worker, copy)
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
        remove(task)
        fail(task.work, on: worker.id, error)
    }
}

extension ClientError {
    static let badReport = ClientError(code: .badReport, message: "the worker's answer does not fit its task")
}
