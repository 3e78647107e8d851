import Messages

/// Embeddings and reference margins: asked of the ledger in lists, of workers in chunks, and written as they come.
extension Coordinator {
    /// What is missing now, in the order in which it is worked off: first rows that a forget request or the training of a
    /// bridged shard waits for. An approximate adapter that only bridges needs no row where rows carry no weight.
    var wantedValues: [MissingValues] {
        let hasAdapter = snapshot.shards.contains { $0.adapter != nil }
        let embeddings = snapshot.missingEmbeddings > 0 && (snapshot.trainingRequested || hasAdapter)
        let shards = snapshot.shards.filter { shard in
            (shard.adapter?.missingMargins ?? 0) > 0 && (snapshot.weighsByRows || !shard.isBridged)
        }
        func rows(_ condition: (LedgerSnapshot.Shard) -> Bool) -> [MissingValues] {
            shards.filter(condition).compactMap { $0.adapter.map { .margins(adapter: $0.name) } }
        }
        return rows(isAwaitedRow) + (embeddings ? [.embeddings] : []) + rows { !isAwaitedRow(of: $0) }
    }

    /// Whether somebody waits for the row of the shard's adapter, where rows carry weight.
    private func isAwaitedRow(of shard: LedgerSnapshot.Shard) -> Bool {
        guard snapshot.weighsByRows else { return false }
        return shard.isBridged || pendingForgets.retrained.contains(shard.index)
    }

    /// Asks for lists of what is missing, one list at a time: nothing is computed twice.
    mutating func loadMissingValues() {
        let wanted = wantedValues
        backlogs.removeAll { !wanted.contains($0.kind) && !$0.isLoading }
        for kind in wanted where !backlogs.contains(where: { $0.kind == kind }) {
            backlogs.append(ValueBacklog(kind: kind))
        }
        for position in backlogs.indices {
            let backlog = backlogs[position]
            guard wanted.contains(backlog.kind), backlog.pending.isEmpty, !backlog.isLoading,
                !isPaused(.values(backlog.kind)), !writes.isWriting(backlog.kind),
                !tasks.contains(where: { $0.work == .values(backlog.kind) })
            else { continue }
            backlogs[position].phase = .loading
            actions.append(.loadMissing(backlog.kind, limit: CoordinatorLimits.missingValues))
        }
    }

    mutating func missingValuesLoaded(_ kind: MissingValues, _ result: Result<[String], ClientError>) {
        guard let position = backlogs.firstIndex(where: { $0.kind == kind && $0.isLoading }) else { return }
        backlogs[position].phase = .unknown
        switch result {
        case .success(let digests):
            backlogs[position].pending = digests
            // Fewer than the snapshot says: it is about to be replaced.
            if digests.isEmpty { delay(.values(kind)) }
        case .failure(let error) where error.code == .stale: delay(.values(kind))
        case .failure(let error): fail(.values(kind), on: "", error)
        }
    }

    /// The next chunk for a worker, small enough that all live workers get some.
    mutating func nextValues(for worker: KnownWorker) -> (MissingValues, [String])? {
        guard let position = nextBacklog(for: worker) else { return nil }
        let count = chunkSize(of: backlogs[position].pending.count)
        let digests = Array(backlogs[position].pending.prefix(count))
        backlogs[position].pending.removeFirst(digests.count)
        return (backlogs[position].kind, digests)
    }

    /// Position of the list that the worker's next chunk is taken from.
    func nextBacklog(for worker: KnownWorker) -> Int? {
        for kind in wantedValues where mayCompute(kind) {
            guard let position = backlogs.firstIndex(where: { $0.kind == kind }), !backlogs[position].pending.isEmpty,
                isWelcome(worker, for: .values(kind))
            else { continue }
            return position
        }
        return nil
    }

    /// Whether nothing holds the rows back: what the ledger fails to keep of one adapter holds back no other.
    func mayCompute(_ kind: MissingValues) -> Bool {
        !isPaused(.values(kind)) && !writes.isHeld(kind.result) && !writes.isFailing { $0.saves(kind) }
    }

    func chunkSize(of total: Int) -> Int {
        let workers = max(1, roster.live.count)
        return max(1, min(settings.chunk, (total + workers - 1) / workers))
    }

    /// Whether the worker is not the one that the work failed on last, or is the only one.
    func isWelcome(_ worker: KnownWorker, for work: WorkItem) -> Bool {
        failure(of: work)?.worker != worker.id || roster.live.count == 1
    }

    mutating func putBack(_ digests: [String], of kind: MissingValues) {
        // A list that is being loaded names them again.
        guard let position = backlogs.firstIndex(where: { $0.kind == kind && !$0.isLoading }) else { return }
        backlogs[position].pending.insert(contentsOf: digests, at: 0)
    }

    /// Takes them out of the list again.
    ///
    /// - Returns: whether all of them were in it.
    mutating func takeOut(_ digests: [String], of kind: MissingValues) -> Bool {
        guard let position = backlogs.firstIndex(where: { $0.kind == kind }) else { return false }
        let wanted = Set(digests)
        let left = backlogs[position].pending.filter { !wanted.contains($0) }
        guard left.count + digests.count == backlogs[position].pending.count else { return false }
        backlogs[position].pending = left
        return true
    }

    /// Data changed: lists made before may name what is gone.
    mutating func forgetMissingValues() {
        for task in tasks {
            if case .values = task.kind { cancel(task) }
        }
        for position in backlogs.indices where !backlogs[position].isLoading { backlogs[position].phase = .unknown }
    }

    mutating func embedded(_ id: TaskID, values: [Float], by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        switch task.kind {
        case .values(.embeddings, let digests):
            guard values.count == digests.count * settings.embeddingWidth, values.allSatisfy(\.isFinite) else {
                return failed(id, .badReport, by: worker)
            }
            tasks.removeAll { $0.id == id }
            succeeded(task.work)
            write(.saveEmbeddings(digests: digests, values: values))
        case .part(let part): embedded(part, values: values, task: task, by: worker)
        default: failed(id, .badReport, by: worker)
        }
    }

    mutating func scored(_ id: TaskID, tokens: Int, seconds: Double, margins: [Float], by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        switch task.kind {
        case .values(.margins(let adapter), let digests):
            guard margins.count == digests.count, margins.allSatisfy(\.isFinite) else {
                return failed(id, .badReport, by: worker)
            }
            tasks.removeAll { $0.id == id }
            succeeded(task.work)
            write(.saveMargins(adapter: adapter, digests: digests, margins: margins))
        case .part(let part):
            scored(part, margins: margins, tokens: tokens, seconds: seconds, task: task, by: worker)
        default: failed(id, .badReport, by: worker)
        }
    }
}
