import Messages

/// Verification: shards are trained again, elsewhere if another worker is there, and the bytes compared by content name.
extension Coordinator {
    mutating func advance(_ verification: Verification, of operation: Operation) {
        switch verification.phase {
        case .waiting:
            guard mayRead(operation) else { return }
            if let request = verification.request {
                update(operation.id) { $0.setPhase(Verification.Phase.loading) }
                actions.append(.loadForgetShards(operation: operation.id, request: request))
            } else {
                prepareReplays(of: snapshot.shards.map(\.index), for: operation.id)
            }
        case .loading: break
        case .replaying(let replays):
            if let error = exhausted(among: { $0 == .operation(operation.id) }) {
                return failOperation(operation.id, error)
            }
            let results = replays.items.compactMap(\.result)
            guard results.count == replays.items.count else { return }
            let report = VerificationReport(
                request: verification.request, shards: results, approximate: replays.approximate, empty: replays.empty,
                notCurrent: replays.notCurrent)
            endOperation(operation.id, .verification(report))
        }
    }

    mutating func forgetShardsLoaded(_ id: String, _ result: Result<[Int], ClientError>) {
        guard let operation = operation(id), operation.state == .running,
            case .verify(let verification) = operation.course, case .loading = verification.phase
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
                    ? Verification.Replays.Item(
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
        let replays = Verification.Replays(
            items: items, approximate: approximate, empty: named.filter { $0.prompts == 0 }.map(\.index),
            notCurrent: named.filter { !$0.isCurrent }.map(\.index), todo: Array(items.indices))
        update(id) { $0.setPhase(Verification.Phase.replaying(replays)) }
    }

    /// Never on the worker that trained the adapter, as long as another one is there: that one would have to be believed
    /// twice.
    func nextReplay(_ replays: inout Verification.Replays, for worker: KnownWorker) -> Int? {
        let items = replays.items
        let isAlone = !roster.live.contains { $0.id != worker.id }
        let position = replays.todo.firstIndex {
            isAlone || (items[$0].trainer ?? owners[items[$0].shard]) != worker.id
        }
        return position.map { replays.todo.remove(at: $0) }
    }

    func message(for item: OperationPart.Item, of replays: Verification.Replays, task: TaskID) -> Dispatch? {
        guard case .replay(let position) = item, replays.items.indices.contains(position) else { return nil }
        let item = replays.items[position]
        return .replay(
            task: task, specification: settings.configuration.training, .shard(item.shard, manifest: item.manifest))
    }

    mutating func replayed(
        _ position: Int, in operation: Operation, report: TrainingReport, by worker: KnownWorker
    ) {
        guard let items = operation.replays?.items, items.indices.contains(position) else { return }
        let item = items[position]
        let result = VerificationReport.Shard(
            shard: item.shard, manifest: item.manifest, published: item.published, replayed: report.adapter,
            match: report.adapter == item.published && report.manifest == item.manifest, worker: worker.id,
            trainer: item.trainer, seconds: report.seconds)
        update(operation.id) { $0.setReplays { $0.items[position].result = result } }
    }
}
