import Messages

/// Embeddings and reference margins: asked of the ledger in lists, of workers in chunks, and written as they come.
extension Coordinator {
    /// What is missing now, in the order in which it is worked off.
    var wantedValues: [MissingValues] {
        let adapters = snapshot.shards.compactMap(\.adapter)
        let embeddings = snapshot.missingEmbeddings > 0 && (snapshot.trainingRequested || !adapters.isEmpty)
        return (embeddings ? [.embeddings] : [])
            + adapters.filter { $0.missingMargins > 0 }.map { .margins(adapter: $0.name) }
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
        for kind in wantedValues where !isPaused(.values(kind)) {
            guard let position = backlogs.firstIndex(where: { $0.kind == kind }), !backlogs[position].pending.isEmpty,
                isWelcome(worker, for: .values(kind))
            else { continue }
            let count = chunkSize(of: backlogs[position].pending.count)
            let digests = Array(backlogs[position].pending.prefix(count))
            backlogs[position].pending.removeFirst(digests.count)
            return (kind, digests)
        }
        return nil
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
