import Messages

/// Stages that nobody has offered, or whose offer came to nothing: the coordinator was killed before it was written, or the file of
/// what answered is damaged. Who may have one is asked, once until something answers again.
///
/// Whoever is given the data or the training of a shard that a request waits for offers by itself what may answer.
extension Coordinator {
    /// An offer is expected of this worker.
    mutating func noteOffering(_ source: StageSource, for number: Int) {
        guard let shard = shard(number), lacksStage(shard) else { return }
        exchanges.noteAsked(source, for: number)
    }

    /// What answers for the shard now may be lost later: then whoever was asked before is asked again.
    mutating func noteAnswer(of number: Int) {
        if shard(number).map(lacksStage) != true { exchanges.forgetAsked(for: number) }
    }

    /// Who is to be asked for a stage that answers for the shard; nil: nothing is to be asked of anybody.
    func workerToAsk(for shard: LedgerSnapshot.Shard) -> String? {
        guard lacksStage(shard), !isDisputed(shard), writes.stage(publishedFor: shard.index) == nil,
            answerPace.wait(for: shard.index, at: now) == nil, let source = stageSource(of: shard),
            !exchanges.wasAsked(source, for: shard.index)
        else { return nil }
        return source.worker
    }

    private func stageSource(of shard: LedgerSnapshot.Shard) -> StageSource? {
        guard let task = taskOnShard(shard.index) else {
            guard let owner = owners[shard.index], roster.isLive(owner), failure(of: .copy(shard: shard.index)) == nil,
                let copy = roster.copy(of: shard.index, at: owner), copy.releaseSent == nil,
                copy.isExactly(shard.manifest), !copy.stages.isEmpty
            else { return nil }
            return StageSource(worker: owner)
        }
        // A worker that waits for its prompts would ask for them again.
        guard case .train(_, shard.manifest) = task.kind, task.awaitedUntil == nil, roster.isLive(task.worker),
            roster.holds(task.worker, shard: shard.index, manifest: shard.manifest)
        else { return nil }
        return StageSource(worker: task.worker, training: task.id)
    }

    /// Not while the ledger cannot keep what comes of it.
    mutating func askForStages() {
        guard !index.unanswered.isEmpty, !writes.isHeld(.adapters) else { return }
        refresh()
        for id in index.unanswered.keys.sorted() {
            guard let worker = roster[id], let peer = worker.peer else { continue }
            for task in tasks.tasks(of: id) {
                guard case .train(let number, _) = task.kind, index.unanswered[id]?.contains(number) == true,
                    let shard = shard(number)
                else { continue }
                // The same training, said again: its worker offers what may answer, and hears that somebody waits.
                ask(StageSource(worker: id, training: task.id), for: shard, under: task.id, adapter: nil, worker, peer)
            }
            guard tasks.load(of: id).copies == 0,
                let shard = firstShard(of: index.unanswered[id], where: { !tasks.isBusy($0.index) })
            else { continue }
            let task = give(.copy(shard: shard.index, manifest: shard.manifest), to: worker)
            roster.update(id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
            // Data that is only brought up to date: with it comes what may answer.
            ask(StageSource(worker: id), for: shard, under: task, adapter: "", worker, peer)
        }
    }

    private mutating func ask(
        _ source: StageSource, for shard: LedgerSnapshot.Shard, under task: TaskID, adapter: String?,
        _ worker: KnownWorker, _ peer: PeerID
    ) {
        exchanges.noteAsked(source, for: shard.index)
        if source.training != nil { exchanges.noteRepeated(task, among: tasks) }
        changes.note(shard.index)
        dispatch(
            .assign(
                task: task, shard: shard.index, manifest: shard.manifest,
                specification: settings.configuration.training, adapter: adapter, to: worker.holder), to: peer)
    }
}
