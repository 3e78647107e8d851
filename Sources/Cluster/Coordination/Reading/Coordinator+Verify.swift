import Messages

/// Verification: shards are trained again, elsewhere if another worker is there, and the bytes compared by content name.
///
/// Each shard is verified for itself: what is being retrained when the verification begins is reported so, what was replayed
/// stays, and what changes before it was replayed is pinned anew, a bounded number of times, or reported as changed.
extension Coordinator {
    mutating func advance(_ verification: Verification, of operation: Operation) {
        switch verification.phase {
        case .waiting:
            guard mayVerify(operation, verification) else { return }
            if let request = verification.request {
                update(operation.id) { $0.setPhase(Verification.Phase.loading) }
                actions.append(.loadForgetShards(operation: operation.id, request: request))
            } else if verification.stages != nil {
                update(operation.id) { $0.setPhase(Verification.Phase.loading) }
                actions.append(.loadStages(operation: operation.id))
            } else {
                prepareReplays(of: snapshot.shards.map(\.index), for: operation.id)
            }
        case .loading: break
        case .replaying(let replays):
            if let error = exhausted(among: { $0 == .operation(operation.id) }) {
                return failOperation(operation.id, error)
            }
            guard replays.items.allSatisfy(\.hasEnded) else { return }
            let report = VerificationReport(
                request: verification.request, shards: replays.items.compactMap(\.result),
                approximate: replays.approximate, empty: replays.empty, notCurrent: replays.notCurrent,
                changed: replays.items.compactMap(\.changed),
                stages: verification.stages.map { _ in
                    replays.items.filter(\.isReplayed).compactMap(\.stage?.result)
                }, unrecorded: replays.unrecorded.isEmpty ? nil : replays.unrecorded)
            endOperation(operation.id, .verification(report))
        }
    }

    /// Whether there is something to replay: an adapter, or of a request all those that it waits for. An error that stands in
    /// the way ends the verification.
    private mutating func mayVerify(_ operation: Operation, _ verification: Verification) -> Bool {
        let awaited: [LedgerSnapshot.Shard]
        if let request = verification.request {
            let pending = pendingForget(request)
            awaited = snapshot.shards.filter { pending?.waitingFor.contains($0.index) ?? false }
        } else {
            let hasAny = snapshot.shards.contains { $0.prompts > 0 && $0.isCurrent }
            awaited = hasAny ? [] : snapshot.shards.filter(isToBeTrained)
            if !hasAny, awaited.isEmpty, isPartitionDue {
                if let error = exhausted(among: \.isForAdapters) { failOperation(operation.id, error) }
                return false
            }
        }
        if let error = exhausted(among: { work in awaited.contains { $0.work == work } }) {
            failOperation(operation.id, error)
            return false
        }
        return awaited.isEmpty
    }

    /// Shards may be others than those that verifications were pinned to.
    mutating func pinReplays() {
        for operation in operations.readers where operation.state == .running {
            guard var replays = operation.replays else { continue }
            for position in replays.items.indices where !replays.items[position].isReplayed {
                pin(position, of: &replays, operation)
            }
            update(operation.id) { $0.setReplays { $0 = replays } }
        }
    }

    private mutating func pin(_ position: Int, of replays: inout Verification.Replays, _ operation: Operation) {
        var item = replays.items[position]
        let shard = shard(item.shard)
        let adapter = shard.flatMap { $0.isCurrent && $0.adapter?.corrected == nil ? $0.adapter : nil }
        if item.changed == nil, let shard, shard.manifest == item.manifest, adapter?.name == item.published { return }
        for task in tasks {
            if case .part(let part) = task.kind, part.operation == operation.id, part.item == .replay(position) {
                cancel(task)
            }
        }
        replays.todo.removeAll { $0 == position }
        // What is on record of stages belongs to the adapter that was there.
        if let shard, let adapter, item.stage == nil, item.pins < CoordinatorLimits.pins {
            item.manifest = shard.manifest
            item.published = adapter.name
            item.trainer = adapter.trainer
            item.pins += 1
            item.changed = nil
            replays.todo.append(position)
        } else {
            item.changed = VerificationReport.Changed(
                shard: item.shard, manifest: item.changed?.manifest ?? item.manifest,
                published: item.changed?.published ?? item.published, newManifest: shard?.manifest ?? "",
                newAdapter: adapter?.name)
        }
        replays.items[position] = item
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

    /// A replay of the manifest that waits to be given out and that the worker may do.
    func replayToTakeOver(of manifest: String, by worker: KnownWorker) -> OperationPart? {
        for operation in operations.readers
        where operation.state == .running && !isPaused(.operation(operation.id)) {
            guard let replays = operation.replays,
                let position = replays.todo.first(where: {
                    replays.items[$0].manifest == manifest && replays.items[$0].stage == nil
                        && mayReplay(replays.items[$0], of: operation.id, worker)
                })
            else { continue }
            return OperationPart(
                operation: operation.id, generation: operation.generation, item: .replay(position))
        }
        return nil
    }

    func nextReplay(
        _ replays: inout Verification.Replays, of operation: String, for worker: KnownWorker
    ) -> Int? {
        let items = replays.items
        let position = replays.todo.firstIndex { mayReplay(items[$0], of: operation, worker) }
        return position.map { replays.todo.remove(at: $0) }
    }

    /// Never the worker that trained the adapter, as long as another one is there: that one would have to be believed twice.
    /// The one that failed at it last may where nobody is left but the trainer.
    private func mayReplay(_ item: Verification.Replays.Item, of operation: String, _ worker: KnownWorker) -> Bool {
        func may(_ worker: borrowing KnownWorker) -> Bool { item.stage == nil || worker.knows(.stageReplay) }
        guard may(worker) else { return false }
        let trainer = item.trainer ?? owners[item.shard]
        let isWelcome = isWelcome(worker.id, for: .operation(operation))
        guard trainer != worker.id else { return isWelcome && !roster.hasWorking { $0.id != worker.id && may($0) } }
        return isWelcome || !roster.hasWorking { $0.id != worker.id && $0.id != trainer && may($0) }
    }

    func message(for item: OperationPart.Item, of replays: Verification.Replays, task: TaskID) -> Dispatch? {
        guard case .replay(let position) = item, replays.items.indices.contains(position) else { return nil }
        let item = replays.items[position]
        if let stage = item.stage { return message(for: stage, of: item, task: task) }
        return .replay(
            task: task, specification: settings.configuration.training, .shard(item.shard, manifest: item.manifest))
    }

    mutating func replayed(
        _ position: Int, in operation: Operation, report: TrainingReport, by worker: KnownWorker
    ) {
        guard let items = operation.replays?.items, items.indices.contains(position) else { return }
        let item = items[position]
        if let stage = item.stage { return replayed(position, stage, in: operation, report: report, by: worker) }
        let result = VerificationReport.Shard(
            shard: item.shard, manifest: item.manifest, published: item.published, replayed: report.adapter,
            match: report.adapter == item.published && report.manifest == item.manifest, worker: worker.id,
            trainer: item.trainer, seconds: report.seconds)
        update(operation.id) { $0.setReplays { $0.items[position].result = result } }
    }
}
