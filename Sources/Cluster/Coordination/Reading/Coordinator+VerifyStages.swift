import Messages

/// Verification of single slices: each is trained again from the stage before it, as that was recorded, and what comes out is
/// compared with what was recorded. So an auditor checks some of them on several workers in a fraction of a training's time.
extension Coordinator {
    func objection(to choice: ClientRequest.StageChoice, request: String?) -> ClientError? {
        let slices = settings.configuration.training.slices
        if request != nil {
            return ClientError(code: .invalidRequest, message: "a request's shards are replayed whole: name no slices")
        }
        guard slices > 1 else {
            return ClientError(
                code: .noSlices,
                message: "this cluster trains its shards in one slice: there are no stages; verify whole trainings")
        }
        guard case .named(let stages) = choice else { return nil }
        let unknown = stages.first { shard($0.shard) == nil || !(1...slices).contains($0.slice) }
        return unknown.map {
            ClientError(
                code: .noSuchStage,
                message: "there is no slice \($0.slice) of shard \($0.shard): shards count from 0 to "
                    + "\(snapshot.shards.count - 1), slices from 1 to \(slices)")
        }
    }

    mutating func stagesLoaded(_ id: String, _ result: Result<[Int: [RecordedStage]], ClientError>) {
        guard let operation = operation(id), operation.state == .running,
            case .verify(let verification) = operation.course, case .loading = verification.phase,
            let choice = verification.stages
        else { return }
        switch result {
        case .failure(let error): failOperation(id, error)
        case .success(let recorded):
            switch chosen(choice, of: recorded) {
            case .failure(let error): failOperation(id, error)
            case .success(let replays): update(id) { $0.setPhase(Verification.Phase.replaying(replays)) }
            }
        }
    }

    // MARK: what is replayed

    private func chosen(
        _ choice: ClientRequest.StageChoice, of recorded: [Int: [RecordedStage]]
    ) -> Result<Verification.Replays, ClientError> {
        var replays = Verification.Replays(items: [], approximate: [], empty: [], notCurrent: [], todo: [])
        switch choice {
        case .named(let wanted):
            for address in wanted {
                guard let shard = shard(address.shard), let adapter = verifiable(shard, &replays) else { continue }
                let item = item(address.slice, of: shard, adapter, recorded[shard.index] ?? [])
                if !replays.items.contains(where: { $0.isSame(as: item) }) { replays.items.append(item) }
            }
        case .drawn(let count, let seed):
            var found: [Verification.Replays.Item] = []
            for shard in snapshot.shards {
                guard let adapter = verifiable(shard, &replays) else { continue }
                let stages = recorded[shard.index] ?? []
                let drawable = stages.map { item($0.report.slice, of: shard, adapter, stages) }
                    .filter { !$0.isReplayed }
                found += drawable
                if stages.isEmpty || drawable.count < stages.count {
                    let slices = Set(drawable.compactMap(\.stage?.result.slice))
                    replays.unrecorded.append(
                        VerificationReport.Unrecorded(
                            shard: shard.index, slices: stages.map(\.report.slice).filter { !slices.contains($0) },
                            drawable: drawable.count))
                }
            }
            if found.isEmpty, !replays.unrecorded.isEmpty, replays.approximate.isEmpty, replays.notCurrent.isEmpty {
                return .failure(.stagesUnknown)
            }
            let order = found.map {
                ClientRequest.StageChoice.rank(of: $0.stage?.result.slice ?? 0, shard: $0.shard, seed: seed)
            }
            let drawn = found.indices.sorted { (order[$0], $0) < (order[$1], $1) }.prefix(count)
            replays.items = drawn.sorted().map { found[$0] }
        }
        replays.todo = replays.items.indices.filter { !replays.items[$0].isReplayed }
        return .success(replays)
    }

    /// The shard's adapter, if it was trained on its present data; else the reason is noted, once.
    private func verifiable(
        _ shard: LedgerSnapshot.Shard, _ replays: inout Verification.Replays
    ) -> LedgerSnapshot.Adapter? {
        if shard.prompts == 0 {
            if !replays.empty.contains(shard.index) { replays.empty.append(shard.index) }
            return nil
        }
        guard shard.isCurrent, let adapter = shard.adapter else {
            if !replays.notCurrent.contains(shard.index) { replays.notCurrent.append(shard.index) }
            return nil
        }
        guard let corrected = adapter.corrected else { return adapter }
        let found = VerificationReport.Approximate(
            shard: shard.index, published: adapter.name, method: corrected.method, corrections: corrected.corrections)
        if !replays.approximate.contains(found) { replays.approximate.append(found) }
        return nil
    }

    /// The slice as it is to be replayed, or why it cannot be: others that are asked for are replayed all the same.
    ///
    /// - `stages`: on record, of all slices with prompts.
    private func item(
        _ slice: Int, of shard: LedgerSnapshot.Shard, _ adapter: LedgerSnapshot.Adapter, _ stages: [RecordedStage]
    ) -> Verification.Replays.Item {
        // What there was before a slice without prompts stands for what there was after it.
        let place = stages.lastIndex { $0.report.slice <= slice }
        let stage = place.map { stages[$0] }
        let before = place.flatMap { $0 > 0 ? stages[$0 - 1].report : nil }
        let replayed = stage?.report.slice ?? slice
        var result = VerificationReport.Stage(
            shard: shard.index, slice: replayed, slices: settings.configuration.training.slices,
            asked: replayed == slice ? nil : slice, manifest: shard.manifest, published: adapter.name,
            name: stage?.report.name ?? "", from: before?.slice ?? 0, recorded: stage?.report.digest ?? "",
            trainer: stage?.worker)
        if stage == nil, !stages.isEmpty {
            let which = slice == 1 ? "it has" : "slices 1 to \(slice) have"
            result.missing = "\(which) no prompts: nothing is to be replayed"
        } else if stage?.report.digest == nil || before.map({ $0.digest == nil }) ?? false {
            result.missing =
                "what the stage after it, or the one before it, was when it was made is not on record: "
                + "\(ClientError.whyUnrecorded); replay the whole shard instead (lethe verify)"
        }
        return Verification.Replays.Item(
            shard: shard.index, manifest: shard.manifest, published: adapter.name,
            trainer: stage?.worker ?? adapter.trainer,
            stage: .init(before: before, isLast: place.map { $0 == stages.count - 1 } ?? false, result: result))
    }

    // MARK: tasks

    func message(
        for stage: Verification.Replays.Stage, of item: Verification.Replays.Item, task: TaskID
    ) -> Dispatch? {
        guard stage.before == nil else { return nil }
        return replay(item, task: task, before: nil)
    }

    private func replay(_ item: Verification.Replays.Item, task: TaskID, before: HandedStage?) -> Dispatch? {
        item.stage.map {
            .replayStage(
                task: task, specification: settings.configuration.training, shard: item.shard, manifest: item.manifest,
                slice: $0.result.slice, before: before)
        }
    }

    /// What the slice is trained from comes from whoever has it.
    mutating func fetchStage(for part: OperationPart, task: TaskID, by worker: KnownWorker) {
        guard let (_, item) = stageReplay(part), let before = item.stage?.before else { return }
        let refused = item.stage?.unfit.map { StageWant.Refusal(name: before.name, holder: $0) } ?? []
        exchanges.add(
            StageWant(
                purpose: .replaying(task), worker: worker.id, shard: item.shard, manifest: item.manifest,
                names: [before.name], since: now, refused: Set(refused)))
    }

    /// It has come.
    mutating func replay(_ task: TaskID, from stage: HandedStage, of giver: KnownWorker, by worker: KnownWorker) {
        guard let peer = worker.peer, case .part(let part)? = tasks[task]?.kind,
            let (position, item) = stageReplay(part), let digest = item.stage?.before?.digest
        else { return }
        update(part.operation) { $0.setReplays { $0.items[position].stage?.giver = giver.id } }
        var stage = stage
        // The worker compares it with what is on record.
        stage.digest = digest
        tasks.setNews(task, at: now)
        if let message = replay(item, task: task, before: stage) { dispatch(message, to: peer) }
    }

    /// Nobody has, or hands on, what the slice is to be trained from.
    mutating func lacksStage(_ id: TaskID) {
        guard let task = tasks[id], case .part(let part) = task.kind, let (position, item) = stageReplay(part) else {
            return
        }
        tasks.remove(id)
        let what = "the stage after slice \(item.stage?.before?.slice ?? 0)"
        let unfit = item.stage?.unfit.map { title(of: $0) } ?? []
        end(
            position, of: part.operation,
            missing: unfit.isEmpty
                ? "no worker that is here handed \(what) on, from which it is trained; replay the whole shard instead "
                    + "(lethe verify)"
                : "\(what), from which it is trained, is on a worker's disk another one than on record, or one from which "
                    + "no training goes on (\(unfit.joined(separator: ", "))), and nobody else handed it on")
    }

    /// What the slice was to be trained from is not what is on record, or of no use: the next one who has it is asked.
    ///
    /// - Returns: whether it is a replay of a slice.
    mutating func differs(_ task: CoordinatorTask) -> Bool {
        guard case .part(let part) = task.kind, let (position, item) = stageReplay(part),
            let giver = item.stage?.giver
        else { return false }
        tasks.remove(task.id)
        log(
            "worker \(title(of: giver)) handed a stage of shard \(item.shard) on which is not the one on record",
            worker: giver, shard: item.shard)
        update(part.operation) {
            $0.setReplays {
                $0.items[position].stage?.unfit.append(giver)
                $0.items[position].stage?.giver = nil
            }
        }
        putBack(part)
        return true
    }

    private mutating func end(_ position: Int, of operation: String, missing reason: String) {
        update(operation) { $0.setReplays { $0.items[position].stage?.end(missing: reason) } }
    }

    mutating func replayed(
        _ position: Int, _ stage: Verification.Replays.Stage, in operation: Operation, report: TrainingReport,
        by worker: KnownWorker
    ) {
        update(operation.id) { $0.setReplays { $0.items[position].stage?.end(report, by: worker.id) } }
    }

    /// Whether the report is of a whole training or, where a slice was to be trained, of that.
    func isOfAsMuch(_ report: TrainingReport, as task: CoordinatorTask) -> Bool {
        switch task.kind {
        case .part(let part):
            guard let (_, item) = stageReplay(part), let stage = item.stage else { return report.isWhole }
            return report.slices?.stages?.contains { $0.slice == stage.result.slice } == true
                && report.slices.map { $0.first == (stage.before?.slice ?? 0) + 1 } == true
        // Whoever checks takes nothing from anybody.
        case .check: return report.isWhole
        default: return !report.isStage
        }
    }

    static let olderText = "; waits for a worker of the coordinator's release, all others are older"

    func waitsForNewer(_ replays: Verification.Replays) -> Bool {
        replays.todo.contains { replays.items[$0].stage != nil } && roster.workingCount > 0
            && !roster.hasWorking { $0.knows(.stageReplay) }
    }

    private func stageReplay(_ part: OperationPart) -> (position: Int, item: Verification.Replays.Item)? {
        guard case .replay(let position) = part.item, isCurrent(part),
            let items = operation(part.operation)?.replays?.items, items.indices.contains(position),
            items[position].stage != nil
        else { return nil }
        return (position, items[position])
    }

    /// What the worker's disk has of the shard after a training: of stages and checkpoints what it says, since it may have had no
    /// room for some. Of a worker whose release does not say it after a training, the stages that this has passed are believed to
    /// be there, too.
    func copy(of shard: Int, after report: TrainingReport, by worker: KnownWorker) -> ShardCopy {
        let known = worker.copy(of: shard)
        var copy = ShardCopy(
            shard: shard, manifest: report.manifest, prompts: self.shard(shard)?.prompts ?? 0, adapter: report.adapter,
            stages: known?.stages)
        if let known, known.trained == report.adapter {
            copy.hasCheckpoint = known.hasCheckpoint
        } else if let said = report.slices?.stages {
            let before = Set(known?.stages ?? [])
            copy.stages =
                said.filter { $0.name != report.adapter && ($0.digest != nil || before.contains($0.name)) }.map(\.name)
                .sorted()
        }
        return copy
    }
}

extension Verification.Replays.Item {
    fileprivate func isSame(as other: Self) -> Bool {
        shard == other.shard && stage?.result.slice == other.stage?.result.slice
    }
}

extension ClientError {
    fileprivate static let whyUnrecorded =
        "an older release trained the shard, or a worker of one, or a stage was gone before its first training, which was "
        + "cut off, came to its end"

    static let stagesUnknown = ClientError(
        code: .unknownStage,
        message: "what these stages were when they were made is not on record: \(whyUnrecorded); replay whole shards "
            + "instead (lethe verify)")
}
