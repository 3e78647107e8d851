import Messages

/// Rows the ledger misses of one kind, and what is known of which.
struct RowBacklog: Sendable {
    enum Phase: Sendable {
        /// Nothing is known of which.
        case unknown
        /// The ledger was asked which are missing.
        case loading
        /// Digests to give out.
        case listed([String])
    }

    var kind: MissingRows
    var phase = Phase.unknown

    var isLoading: Bool {
        if case .loading = phase { true } else { false }
    }

    /// Digests to give out.
    var pending: [String] {
        get {
            if case .listed(let digests) = phase { digests } else { [] }
        }
        set { phase = newValue.isEmpty ? .unknown : .listed(newValue) }
    }
}

/// Embeddings and reference margins: asked of the ledger in lists, of workers in chunks, and written as they come.
extension Coordinator {
    /// What is missing now, in the order in which it is worked off.
    var wantedRows: [MissingRows] {
        let adapters = snapshot.shards.compactMap(\.adapter)
        let embeddings = snapshot.missingEmbeddings > 0 && (snapshot.trainingRequested || !adapters.isEmpty)
        return (embeddings ? [.embeddings] : [])
            + adapters.filter { $0.missingMargins > 0 }.map { .margins(adapter: $0.name) }
    }

    /// Asks for lists of what is missing, one list at a time: nothing is computed twice.
    mutating func loadMissingRows() {
        let wanted = wantedRows
        rows.removeAll { !wanted.contains($0.kind) && !$0.isLoading }
        for kind in wanted where !rows.contains(where: { $0.kind == kind }) {
            rows.append(RowBacklog(kind: kind))
        }
        for position in rows.indices {
            let backlog = rows[position]
            guard wanted.contains(backlog.kind), backlog.pending.isEmpty, !backlog.isLoading,
                !isPaused(.rows(backlog.kind)), !ledger.isWriting(backlog.kind),
                !tasks.contains(where: { $0.work == .rows(backlog.kind) })
            else { continue }
            rows[position].phase = .loading
            actions.append(.loadMissing(backlog.kind, limit: CoordinatorLimits.missingRows))
        }
    }

    mutating func missingRowsLoaded(_ kind: MissingRows, _ result: Result<[String], ClientError>) {
        guard let position = rows.firstIndex(where: { $0.kind == kind && $0.isLoading }) else { return }
        rows[position].phase = .unknown
        switch result {
        case .success(let digests):
            rows[position].pending = digests
            // Fewer than the snapshot says: it is about to be replaced.
            if digests.isEmpty { delay(.rows(kind)) }
        case .failure(let error) where error.code == .stale: delay(.rows(kind))
        case .failure(let error): fail(.rows(kind), on: "", error)
        }
    }

    /// The next chunk for a worker, small enough that all live workers get some.
    mutating func nextRows(for worker: KnownWorker) -> (MissingRows, [String])? {
        for kind in wantedRows where !isPaused(.rows(kind)) {
            guard let position = rows.firstIndex(where: { $0.kind == kind }), !rows[position].pending.isEmpty,
                isWelcome(worker, for: .rows(kind))
            else { continue }
            let count = chunkSize(of: rows[position].pending.count)
            let digests = Array(rows[position].pending.prefix(count))
            rows[position].pending.removeFirst(digests.count)
            return (kind, digests)
        }
        return nil
    }

    func chunkSize(of total: Int) -> Int {
        let workers = max(1, roster.live.count)
        return max(1, min(settings.chunk, (total + workers - 1) / workers))
    }

    /// Whether the worker is not the one that the work failed on last, or is the only one.
    func isWelcome(_ worker: KnownWorker, for work: Work) -> Bool {
        failure(of: work)?.worker != worker.id || roster.live.count == 1
    }

    mutating func putBack(_ digests: [String], of kind: MissingRows) {
        // A list that is being loaded names them again.
        guard let position = rows.firstIndex(where: { $0.kind == kind && !$0.isLoading }) else { return }
        rows[position].pending.insert(contentsOf: digests, at: 0)
    }

    /// Data changed: lists made before may name what is gone.
    mutating func forgetMissingRows() {
        for task in tasks {
            if case .rows = task.kind { cancel(task) }
        }
        for position in rows.indices where !rows[position].isLoading { rows[position].phase = .unknown }
    }

    mutating func embedded(_ id: TaskID, values: [Float], by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        switch task.kind {
        case .rows(.embeddings, let digests):
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
        case .rows(.margins(let adapter), let digests):
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
