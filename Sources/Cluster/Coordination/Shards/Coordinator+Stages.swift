import Messages

/// What answers for a shard that a forget request touched, until it is trained again.
extension Coordinator {
    /// A worker has a stage of the shard that never saw what was forgotten: until the shard is trained, the stage answers. It is
    /// what the training begins at, or has passed; or the training has to wait, and the copy was brought up to date meanwhile.
    mutating func staged(_ id: TaskID, _ report: TrainingReport, adapter: [UInt8], by worker: KnownWorker) {
        guard let task = task(id, of: worker), let (index, manifest) = task.copy, let shard = shard(index),
            shard.manifest == manifest, report.isStage, report.isExact,
            report.specification == settings.configuration.training, report.manifest != manifest, lacksStage(shard),
            !writes.isPublishing(shard: index, manifest: report.manifest)
        else { return }
        // Whose stages are the right ones is not known while two trainings differ. Whoever has it when it may answer is asked for it.
        guard !isDisputed(shard), answerPace.wait(for: index, at: now) == nil else {
            return exchanges.forgetAsked(for: index)
        }
        write(.publish(shard: index, report: report, adapter: adapter, worker: worker.id))
    }

    /// The training that went on from the stage came to numbers that are none: until it is known why, the stage answers nothing.
    ///
    /// - `name`: its content name; nil: its worker does not say it. A worker that says it may take back what it offered, or went on
    ///   from, when the training is not its own any more.
    mutating func withdrawn(_ id: TaskID, stage name: String?, by worker: KnownWorker) {
        guard let (index, stage) = offeredStage(id, name, by: worker),
            !writes.isWithdrawing(stage, of: index) || writes.stage(publishedFor: index) == stage
        else { return }
        noteTakenBack(of: index)
        writes.takeBack(stage, of: index)
        log("the stage that answers for shard \(index) is withdrawn", worker: worker.id, shard: index, task: id)
        write(.withdrawStage(shard: index, adapter: stage))
    }

    /// A stage of the shard does not answer after all.
    mutating func noteTakenBack(of index: Int) {
        answerPace.tookBack(of: index, at: now)
        if let time = answerPace.wait(for: index, at: now) { alarms.add(.shard(index), at: time) }
    }

    /// What the worker offered under the task, or under the name, and the shard that it answers for.
    private func offeredStage(_ id: TaskID, _ name: String?, by worker: KnownWorker) -> (shard: Int, stage: String)? {
        if let task = task(id, of: worker), case .train(let index, _) = task.kind {
            let stage = writes.stage(publishedFor: index) ?? servedStage(of: index)
            guard let stage, name.map({ $0 == stage }) ?? true else { return nil }
            return (index, stage)
        }
        guard let name else { return nil }
        let served = snapshot.shards.first {
            $0.isStaged && $0.adapter?.name == name
                && ($0.adapter?.trainer == worker.id || worker.copy(of: $0.index) != nil)
        }
        return (served?.index ?? writes.shard(publishing: name, by: worker.id)).map { ($0, name) }
    }

    /// Content name.
    private func servedStage(of index: Int) -> String? {
        shard(index).flatMap { $0.isStaged ? $0.adapter?.name : nil }
    }

    // MARK: what is in force

    /// Whether a stage may answer for the shard, and nothing does.
    func lacksStage(_ shard: LedgerSnapshot.Shard) -> Bool {
        settings.configuration.whileRetraining == .stage && settings.configuration.training.slices > 1
            && shard.prompts > 0 && shard.adapter == nil && shard.correction == nil
            && pendingForgets.waitingFor.contains(shard.index)
    }

    /// The shard's adapter, unless it is a stage that is being taken away: it answers no more from when its worker says so, however
    /// long the ledger takes to write it.
    func answering(for shard: LedgerSnapshot.Shard) -> LedgerSnapshot.Adapter? {
        shard.adapter.flatMap { isWithdrawn($0.name, stage: $0.stage, of: shard.index) ? nil : $0 }
    }

    /// - `stage`: after which slice; nil: it is none.
    package func isWithdrawn(_ adapter: String, stage: Int?, of shard: Int) -> Bool {
        stage != nil && writes.isWithdrawing(adapter, of: shard)
    }
}
