import Messages

/// Embeddings and reference margins: asked of the ledger in lists, of workers in chunks, and written as they come.
extension Coordinator {
    /// What is missing now, in the order in which it is worked off: first rows that a forget request or the training of a
    /// bridged shard waits for. An approximate adapter that only bridges needs no row where rows carry no weight. Of many rows
    /// the first ones: the ledger lists no more than so many at a time.
    private func missingValues() -> [MissingValues] {
        func rows(_ shards: [Int]) -> [MissingValues] {
            var rows: [MissingValues] = []
            for number in shards where rows.count < CoordinatorLimits.listedRows {
                guard let adapter = shard(number)?.adapter else { continue }
                let row = MissingValues.margins(adapter: adapter.name)
                if !isPaused(.values(row)) { rows.append(row) }
            }
            return rows
        }
        let embeddings: [MissingValues] = needsEmbeddings ? [.embeddings] : []
        return rows(index.awaitedRows) + embeddings + rows(index.missingRows)
    }

    var needsEmbeddings: Bool {
        snapshot.missingEmbeddings > 0 && (snapshot.trainingRequested || !index.named.isEmpty)
    }

    /// Whether embeddings or rows are missing.
    var missesValues: Bool { needsEmbeddings || !index.awaitedRows.isEmpty || !index.missingRows.isEmpty }

    /// Whether somebody waits for the row of the shard's adapter, where rows carry weight.
    func isAwaitedRow(of shard: LedgerSnapshot.Shard) -> Bool {
        guard snapshot.weighsByRows else { return false }
        return shard.isBridged || pendingForgets.retrained.contains(shard.index)
    }

    /// Asks for lists of what is missing, one list at a time: nothing is computed twice.
    mutating func loadMissingValues() {
        refresh()
        if index.areRowsTouched || !failures.isEmpty || needsEmbeddings != wantedValues.contains(.embeddings) {
            index.areRowsTouched = false
            wantedValues = missingValues()
            let wanted = Set(wantedValues)
            backlogs = backlogs.filter {
                wanted.contains($0.key) || $0.value.isLoading || !$0.value.pending.isEmpty && isMissing($0.key)
            }
            for kind in wantedValues where backlogs[kind] == nil { backlogs[kind] = ValueBacklog() }
        }
        for kind in wantedValues {
            guard let backlog = backlogs[kind], backlog.pending.isEmpty, !backlog.isLoading, !isPaused(.values(kind)),
                !writes.has(kind.subject), !tasks.isWorked(on: .values(kind))
            else { continue }
            backlogs[kind]?.phase = .loading
            actions.append(.loadMissing(kind, limit: CoordinatorLimits.missingValues))
        }
    }

    private func isMissing(_ kind: MissingValues) -> Bool {
        switch kind {
        case .embeddings: needsEmbeddings
        case .margins(let adapter):
            index.named[adapter]?.contains { shard($0)?.adapter?.missingMargins ?? 0 > 0 } ?? false
        }
    }

    mutating func missingValuesLoaded(_ kind: MissingValues, _ result: Result<[String], ClientError>) {
        guard backlogs[kind]?.isLoading == true else { return }
        backlogs[kind]?.phase = .unknown
        switch result {
        case .success(let digests):
            backlogs[kind]?.pending = digests
            // Fewer than the snapshot says: it is about to be replaced.
            if digests.isEmpty { delay(.values(kind)) }
        case .failure(let error) where error.code == .stale: delay(.values(kind))
        case .failure(let error): fail(.values(kind), on: "", error)
        }
    }

    /// The next chunk for a worker, small enough that all live workers get some.
    mutating func nextValues(for worker: KnownWorker) -> (MissingValues, [String])? {
        guard let kind = nextBacklog(for: worker), let pending = backlogs[kind]?.pending else { return nil }
        let digests = Array(pending.prefix(chunkSize(of: pending.count)))
        backlogs[kind]?.pending = Array(pending.dropFirst(digests.count))
        return (kind, digests)
    }

    /// The list that the worker's next chunk is taken from.
    func nextBacklog(for worker: KnownWorker) -> MissingValues? {
        wantedValues.first { kind in
            backlogs[kind]?.pending.isEmpty == false && mayCompute(kind) && isWelcome(worker.id, for: .values(kind))
        }
    }

    /// Whether nothing holds the rows back: what the ledger fails to keep of one adapter holds back no other.
    func mayCompute(_ kind: MissingValues) -> Bool {
        !isPaused(.values(kind)) && !writes.isHeld(kind.result) && !writes.isFailing(kind.subject)
    }

    func chunkSize(of total: Int) -> Int {
        let workers = max(1, roster.workingCount)
        return max(1, min(settings.chunk, (total + workers - 1) / workers))
    }

    /// Whether the worker is not the one that the work failed on last, or is the only one.
    func isWelcome(_ worker: String, for work: WorkItem) -> Bool {
        failures.isEmpty || failure(of: work)?.worker != worker || roster.workingCount == 1
    }

    mutating func putBack(_ digests: [String], of kind: MissingValues) {
        // A list that is being loaded names them again.
        guard backlogs[kind]?.isLoading == false else { return }
        backlogs[kind]?.pending.insert(contentsOf: digests, at: 0)
    }

    /// Takes them out of the list again.
    ///
    /// - Returns: whether all of them were in it.
    mutating func takeOut(_ digests: [String], of kind: MissingValues) -> Bool {
        guard let pending = backlogs[kind]?.pending else { return false }
        let wanted = Set(digests)
        let left = pending.filter { !wanted.contains($0) }
        guard left.count + digests.count == pending.count else { return false }
        backlogs[kind]?.pending = left
        return true
    }

    mutating func embedded(_ id: TaskID, values: [Float], by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        switch task.kind {
        case .values(.embeddings, let digests):
            guard values.count == digests.count * settings.embeddingWidth, values.allSatisfy(\.isFinite) else {
                return failed(id, .badReport, by: worker)
            }
            tasks.remove(id)
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
            tasks.remove(id)
            succeeded(task.work)
            write(.saveMargins(adapter: adapter, digests: digests, margins: margins))
        case .part(let part):
            scored(part, margins: margins, tokens: tokens, seconds: seconds, task: task, by: worker)
        default: failed(id, .badReport, by: worker)
        }
    }
}
