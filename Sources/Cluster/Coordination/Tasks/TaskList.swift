import Messages

/// Tasks given out, oldest first, found by id, worker, shard and work.
struct TaskList: Sendable, RandomAccessCollection {
    /// What a worker has to do.
    struct Load: Sendable {
        /// Oldest first.
        var ids: [TaskID] = []
        var copies = 0
        var trainings = 0
    }

    /// What tasks are looked for by.
    enum Subject: Hashable, Sendable {
        /// Its data or adapter.
        case shard(Int)
        case training
        case correction
        case preparation
        case rows
        case part
    }

    /// Sorted by id.
    private var tasks: [CoordinatorTask] = []
    /// Ids by what the tasks are about, sorted.
    private var subjects: [Subject: [TaskID]] = [:]
    private var loads: [String: Load] = [:]
    /// Tasks that change the shard's copy on a worker, oldest first.
    private var onShard: [Int: [TaskID]] = [:]
    private var works: [WorkItem: Int] = [:]
    private(set) var comparisons = 0
    /// Tasks whose worker is away and expected back.
    private(set) var awaited = 0
    /// Shards and workers whose tasks came, went or changed their state; whoever reads them empties them.
    var touchedShards: [Int] = []
    var touchedWorkers: [String] = []

    var startIndex: Int { 0 }
    var endIndex: Int { tasks.count }
    subscript(position: Int) -> CoordinatorTask { tasks[position] }

    subscript(id: TaskID) -> CoordinatorTask? { position(of: id).map { tasks[$0] } }

    func contains(_ id: TaskID) -> Bool { position(of: id) != nil }
    func isWorked(on work: WorkItem) -> Bool { works[work] != nil }
    func load(of worker: String) -> Load { loads[worker] ?? Load() }
    func hasWorker(_ worker: String) -> Bool { loads[worker] != nil }

    /// Oldest first.
    func ids(about subject: Subject) -> [TaskID] { subjects[subject] ?? [] }

    /// Oldest first.
    func tasks(of worker: String) -> [CoordinatorTask] {
        loads[worker].map { $0.ids.compactMap { self[$0] } } ?? []
    }

    /// The oldest task that changes the shard's copy on a worker.
    func task(onShard shard: Int) -> CoordinatorTask? { onShard[shard]?.first.flatMap { self[$0] } }
    func isBusy(_ shard: Int) -> Bool { onShard[shard] != nil }

    mutating func add(_ task: CoordinatorTask) {
        var begun = task
        begun.headway.begin(at: task.lastNews)
        tasks.insert(begun, at: lowerBound(task.id))
        loads[task.worker, default: Load()].add(task)
        if let shard = task.shardOfCopy {
            onShard[shard, default: []].append(task.id)
            onShard[shard]?.sort()
        }
        for subject in task.subjects { subjects[subject, default: []].set(task.id, isIn: true) }
        works[task.work, default: 0] += 1
        if task.isComparison { comparisons += 1 }
        if task.awaitedUntil != nil { awaited += 1 }
        touch(task)
    }

    @discardableResult
    mutating func remove(_ id: TaskID) -> CoordinatorTask? {
        guard let position = position(of: id) else { return nil }
        let task = tasks.remove(at: position)
        if loads[task.worker]?.remove(task) == true { loads[task.worker] = nil }
        if let shard = task.shardOfCopy {
            onShard[shard]?.removeAll { $0 == id }
            if onShard[shard]?.isEmpty == true { onShard[shard] = nil }
        }
        for subject in task.subjects {
            subjects[subject]?.set(id, isIn: false)
            if subjects[subject]?.isEmpty == true { subjects[subject] = nil }
        }
        works[task.work] = works[task.work].flatMap { $0 > 1 ? $0 - 1 : nil }
        if task.isComparison { comparisons -= 1 }
        if task.awaitedUntil != nil { awaited -= 1 }
        touch(task)
        return task
    }

    mutating func setAwaited(_ id: TaskID, until: CoordinatorInstant?) {
        guard let position = position(of: id) else { return }
        if tasks[position].awaitedUntil != nil { awaited -= 1 }
        if until != nil { awaited += 1 }
        tasks[position].awaitedUntil = until
        touch(tasks[position])
    }

    mutating func note(_ progress: WorkerMessage.TaskProgress, of worker: String) {
        guard let position = position(of: progress.task), tasks[position].worker == worker else { return }
        tasks[position].progress = progress
    }

    /// Reads a message that concerns the task.
    mutating func news(of id: TaskID, in message: WorkerMessage, most steps: Int?) -> TaskHeadway.News {
        guard let position = position(of: id) else { return .says }
        let isComparison = tasks[position].isComparison
        return tasks[position].headway.news(in: message, countsLife: isComparison, most: steps)
    }

    mutating func setNews(_ id: TaskID, _ news: TaskHeadway.News = .says, at instant: CoordinatorInstant) {
        guard let position = position(of: id), news > .repeats else { return }
        if news == .moves { tasks[position].headway.moved(at: instant) }
        if tasks[position].headway.isBelieved(at: instant) { tasks[position].lastNews = instant }
    }

    /// What its worker was sent may be asked for again.
    mutating func reopen(_ id: TaskID) {
        if let position = position(of: id) { tasks[position].headway.reopen() }
    }

    mutating func noteData(of id: TaskID) {
        if let position = position(of: id) { tasks[position].isWithoutData = false }
    }

    mutating func noteIsToSayLacking(_ id: TaskID) {
        if let position = position(of: id) { tasks[position].isToSayLacking = true }
    }

    /// Time passed that counts for nobody.
    mutating func excuse(_ seconds: Double, at now: CoordinatorInstant) {
        for position in tasks.indices {
            tasks[position].lastNews = Swift.min(now, tasks[position].lastNews.advanced(bySeconds: seconds))
            tasks[position].headway.excuse(seconds, at: now)
            tasks[position].awaitedUntil = tasks[position].awaitedUntil?.advanced(bySeconds: seconds)
        }
    }

    /// Ids of those for which it holds, oldest first.
    func ids(where condition: (borrowing CoordinatorTask) -> Bool) -> [TaskID] {
        var found: [TaskID] = []
        for position in tasks.indices where condition(tasks[position]) { found.append(tasks[position].id) }
        return found
    }

    private mutating func touch(_ task: CoordinatorTask) {
        touchedWorkers.append(task.worker)
        switch task.kind {
        case .train(let shard, _), .correct(let shard, _), .copy(let shard, _), .check(let shard, _),
            .prepare(let shard, _, _):
            touchedShards.append(shard)
        case .values, .part: break
        }
    }

    private func position(of id: TaskID) -> Int? {
        let position = lowerBound(id)
        return position < tasks.count && tasks[position].id == id ? position : nil
    }

    private func lowerBound(_ id: TaskID) -> Int {
        var (low, high) = (0, tasks.count)
        while low < high {
            let middle = (low + high) / 2
            if tasks[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension TaskList.Load {
    fileprivate mutating func add(_ task: CoordinatorTask) {
        ids.append(task.id)
        ids.sort()
        if task.isCopy { copies += 1 }
        if task.isTraining { trainings += 1 }
    }

    /// - Returns: whether nothing is left.
    fileprivate mutating func remove(_ task: CoordinatorTask) -> Bool {
        ids.removeAll { $0 == task.id }
        if task.isCopy { copies -= 1 }
        if task.isTraining { trainings -= 1 }
        return ids.isEmpty
    }
}

extension CoordinatorTask {
    fileprivate var subjects: [TaskList.Subject] {
        switch kind {
        case .train(let shard, _): [.shard(shard), .training]
        case .correct(let shard, _): [.shard(shard), .correction]
        case .copy(let shard, _), .check(let shard, _): [.shard(shard)]
        case .prepare: [.preparation]
        case .values(.margins, _): [.rows]
        case .values(.embeddings, _): []
        case .part: [.part]
        }
    }
}
