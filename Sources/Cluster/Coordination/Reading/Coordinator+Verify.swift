import Messages

/// Verification: shards are trained again, elsewhere if another worker is there, and the bytes compared by content name.
extension Coordinator {
    mutating func advance(_ verification: Verification, of operation: Operation) {
        guard let items = verification.items else { return begin(verification, of: operation) }
        if let error = exhausted(among: { $0 == .operation(operation.id) }) {
            return failOperation(operation.id, error)
        }
        let results = items.compactMap(\.result)
        if results.count == items.count {
            endOperation(
                operation.id,
                .verification(
                    VerificationReport(
                        request: verification.request, shards: results, approximate: verification.approximate,
                        empty: verification.empty, notCurrent: verification.notCurrent)))
        }
    }

    private mutating func begin(_ verification: Verification, of operation: Operation) {
        guard !verification.isLoading, mayRead(operation) else { return }
        if let request = verification.request {
            update(operation.id) { $0.setVerification { $0.isLoading = true } }
            actions.append(.loadForgetShards(operation: operation.id, request: request))
        } else {
            prepareReplays(of: snapshot.shards.map(\.index), for: operation.id)
        }
    }

    mutating func forgetShardsLoaded(_ id: String, _ result: Result<[Int], ClientError>) {
        guard let operation = operation(id), operation.state == .running,
            case .verify(let verification) = operation.work, verification.isLoading
        else { return }
        switch result {
        case .success(let shards): prepareReplays(of: shards, for: id)
        case .failure(let error): failOperation(id, error)
        }
    }

    private mutating func prepareReplays(of shards: [Int], for id: String) {
        let named = snapshot.shards.filter { shards.contains($0.index) }
        let asked = named.filter { $0.isCurrent && $0.prompts > 0 }
        let items = asked.compactMap { shard in
            shard.adapter.flatMap { adapter in
                adapter.corrected == nil
                    ? Verification.Item(
                        shard: shard.index, manifest: shard.manifest, published: adapter.name, trainer: adapter.trainer)
                    : nil
            }
        }
        let approximate = asked.compactMap { shard in
            shard.adapter.flatMap { adapter in
                adapter.corrected.map {
                    VerificationReport.Approximate(
                        shard: shard.index, published: adapter.name, method: $0.method, corrections: $0.corrections)
                }
            }
        }
        update(id) {
            $0.setVerification {
                $0.isLoading = false
                $0.items = items
                $0.approximate = approximate
                $0.empty = named.filter { $0.prompts == 0 }.map(\.index)
                $0.notCurrent = named.filter { !$0.isCurrent }.map(\.index)
                $0.todo = Array(items.indices)
            }
        }
    }

    /// Never on the worker that trained the adapter, as long as another one is there: that one would have to be believed
    /// twice.
    func nextReplay(_ verification: inout Verification, for worker: KnownWorker) -> Int? {
        guard let items = verification.items else { return nil }
        let isAlone = !roster.live.contains { $0.id != worker.id }
        let position = verification.todo.firstIndex {
            isAlone || (items[$0].trainer ?? owners[items[$0].shard]) != worker.id
        }
        return position.map { verification.todo.remove(at: $0) }
    }

    func message(for item: OperationPart.Item, of verification: Verification, task: TaskID) -> Dispatch? {
        guard case .replay(let position) = item, let items = verification.items, items.indices.contains(position)
        else { return nil }
        return .replay(
            task: task, specification: settings.configuration.training,
            .shard(items[position].shard, manifest: items[position].manifest))
    }

    mutating func replayed(
        _ position: Int, of verification: Verification, in operation: Operation, report: TrainingReport,
        by worker: KnownWorker
    ) {
        guard let items = verification.items, items.indices.contains(position) else { return }
        let item = items[position]
        let result = VerificationReport.Shard(
            shard: item.shard, manifest: item.manifest, published: item.published, replayed: report.adapter,
            match: report.adapter == item.published && report.manifest == item.manifest, worker: worker.id,
            trainer: item.trainer, seconds: report.seconds)
        update(operation.id) { $0.setVerification { $0.items?[position].result = result } }
    }
}

extension Operation {
    mutating func setVerification(_ change: (inout Verification) -> Void) {
        guard case .verify(var verification) = work else { return }
        change(&verification)
        work = .verify(verification)
    }

    mutating func setEvaluation(_ change: (inout Evaluation) -> Void) {
        guard case .evaluate(var evaluation) = work else { return }
        change(&evaluation)
        work = .evaluate(evaluation)
    }
}
