import Messages

/// Work that was given out is called back, or taken away from whoever does not go on with it.
extension Coordinator {
    /// Whether the task was given out and not called back.
    package func isUnderWay(_ id: TaskID) -> Bool { tasks[id] != nil }

    /// Whether what was made whole is to be sent still: its task may have ended meanwhile, or been called back, and its worker would
    /// begin it anew. What concerns a stage is about none.
    package func isUnderWay(_ dispatch: Dispatch) -> Bool {
        switch dispatch {
        case .hand, .stage, .noStage: true
        case .assign, .correct, .prepare, .prompts, .replay, .replayStage, .embed, .adapters, .score, .compare:
            isUnderWay(dispatch.task)
        }
    }

    func task(_ id: TaskID, of worker: KnownWorker) -> CoordinatorTask? {
        tasks[id].flatMap { $0.worker == worker.id ? $0 : nil }
    }

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
        noteStop(of: task, "called back")
        if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
    }

    /// Takes tasks away from a worker and puts their work back into the queues. Returns their ids.
    @discardableResult
    mutating func withdrawTasks(of worker: String, where condition: (CoordinatorTask) -> Bool) -> [TaskID] {
        let withdrawn = tasks.tasks(of: worker).filter(condition)
        for task in withdrawn {
            remove(task)
            noteStop(of: task, "put back")
        }
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
    /// What was said before is no news of any.
    ///
    /// - Returns: what it is for those that it concerns.
    mutating func noteNews(of worker: String, in message: WorkerMessage) -> TaskHeadway.News {
        let own = tasks.tasks(of: worker)
        let concerned = own.filter { message.concerns($0) }
        var most: TaskHeadway.News?
        for task in concerned {
            let news = tasks.news(of: task.id, in: message, most: mostSteps(of: task))
            most = max(most ?? news, news)
        }
        let news = most ?? .says
        let ids = concerned.map(\.id)
        for task in own where !task.isPaced || ids.contains(task.id) { tasks.setNews(task.id, news, at: now) }
        return news
    }

    /// Bytes of some message: nobody knows of which task.
    mutating func noteBytes(of worker: String) {
        for task in tasks.load(of: worker).ids { tasks.setNews(task, at: now) }
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
            let error = ClientError(
                code: .silent, message: "worker \(title(of: task.worker)) said nothing for \(seconds) s")
            if let peer = roster[task.worker]?.peer { send(.cancel(task: task.id), to: peer) }
            if missed(task, .failure, error) { continue }
            remove(task)
            fail(task.work, on: task.worker, error)
        }
    }
}
