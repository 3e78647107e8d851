import Messages

/// Work is given out to whoever is free.
extension Coordinator {
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
        askForStages()
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
        // A message may be long and its connection slow: what was cut off has longer when it is tried again.
        task.headway.patience *= Double(1 << min(8, failure(of: task.work)?.count ?? 0))
        task.isWithoutData =
            task.copy.map { worker.copy(of: $0.shard)?.manifests.contains($0.manifest) != true } ?? false
        switch kind {
        case .train(let shard, _), .correct(let shard, _):
            lastTrainings[shard] = nextTask
            noteOffering(StageSource(worker: worker.id, training: nextTask), for: shard)
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
}
