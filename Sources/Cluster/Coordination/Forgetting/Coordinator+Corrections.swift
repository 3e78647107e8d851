import Messages

/// Approximate forgetting: quarantined adapters are corrected before anything is retrained, and IFRU is prepared when there
/// is nothing else to do.
///
/// A correction is worked off like a training: given to the shard's owner, called back when the shard's data changes, tried
/// again elsewhere when a worker fails. Three things differ. One that can never succeed, or has failed as often as a
/// training may, is given up for good: the ledger drops it, and the shard is trained exactly. A corrected adapter that
/// only bridges leaves the shard to be trained; where rows carry weight it gets its row first, so that it serves meanwhile.
/// And what is published is called approximate until a training replaces it.
extension Coordinator {
    /// Whether the shard is neither corrected nor trained until the ledger has dropped the correction.
    func isGivingUpCorrection(of shard: LedgerSnapshot.Shard) -> Bool {
        shard.correction != nil && writes.isGivingUpCorrection(of: shard.index, manifest: shard.manifest)
    }

    /// After a failure: gives the correction up if another try is of no use.
    mutating func giveUpCorrection(of index: Int, after failure: WorkItemFailures) {
        guard let shard = shard(index), shard.correction != nil, !isGivingUpCorrection(of: shard) else { return }
        let final = CorrectionFallback(code: failure.error.code)
        guard let reason = final ?? (failure.count >= CoordinatorLimits.attempts ? .failed : nil) else { return }
        log("shard \(index) is retrained instead of corrected: \(reason.rawValue)")
        succeeded(.correct(shard: index))
        write(.abandonCorrection(shard: index, manifest: shard.manifest, reason: reason))
    }

    /// Where rows of the error table carry weight, an approximate adapter that bridges takes part in answers once its row is
    /// complete: that comes before the training that it bridges.
    func isWaitingForRows(_ shard: LedgerSnapshot.Shard) -> Bool {
        guard snapshot.weighsByRows, shard.isBridged, let adapter = shard.adapter, adapter.missingMargins > 0 else {
            return false
        }
        return !isPaused(.values(.margins(adapter: adapter.name)))
    }

    // MARK: preparations

    /// Whether the shard's owner holds the preparation of its adapter.
    func isPrepared(_ shard: LedgerSnapshot.Shard) -> Bool {
        guard let adapter = shard.adapter, let owner = owners[shard.index].flatMap({ roster[$0] }) else { return false }
        return owner.copy(of: shard.index)?.prepared == adapter.name
    }

    /// Whether the shard's owner prepared the correction that it waits for: anybody else would have to prepare it first, however
    /// much faster that one is.
    func isBound(_ shard: LedgerSnapshot.Shard) -> Bool {
        guard shard.correction == .ifru, let owner = owners[shard.index].flatMap({ roster[$0] }),
            owner.stance == .works, failure(of: shard.work)?.worker != owner.id
        else { return false }
        return owner.copy(of: shard.index)?.prepared != nil
    }

    /// Nothing is prepared while anything else is to be done.
    private var mayPrepare: Bool {
        settings.configuration.preparesInfluence && isUpToDate && !operations.hasRunning
    }

    func isWantedPreparation(shard index: Int, manifest: String, adapter: String) -> Bool {
        guard mayPrepare, let shard = shard(index), shard.isCurrent else { return false }
        return shard.manifest == manifest && shard.adapter?.name == adapter && !isPrepared(shard)
    }

    mutating func givePreparations() {
        guard mayPrepare else { return }
        for worker in known(free) where !tasks.hasWorker(worker.id) {
            guard let peer = worker.peer, let shard = shardToPrepare(by: worker), let adapter = shard.adapter else {
                continue
            }
            let kind = CoordinatorTask.Kind.prepare(
                shard: shard.index, manifest: shard.manifest, adapter: adapter.name)
            let id = give(kind, to: worker)
            dispatch(.prepare(task: id, shard: shard.index, manifest: shard.manifest, adapter: adapter.name), to: peer)
        }
    }

    private func shardToPrepare(by worker: KnownWorker) -> LedgerSnapshot.Shard? {
        firstShard(of: index.owned[worker.id]) { shard in
            guard shard.prompts > 0, shard.isCurrent, shard.adapter != nil, owners[shard.index] == worker.id else {
                return false
            }
            return worker.holds(shard: shard.index, manifest: shard.manifest) && !isPrepared(shard)
                && !isPaused(.prepare(shard: shard.index))
        }
    }

    mutating func prepared(_ id: TaskID, shard index: Int, adapter: String, by worker: KnownWorker) {
        guard let task = task(id, of: worker) else { return }
        guard case .prepare(index, _, adapter) = task.kind else { return failed(id, .badReport, by: worker) }
        tasks.remove(id)
        succeeded(task.work)
        roster.update(worker.id) {
            guard var copy = $0.copy(of: index) else { return }
            copy.prepared = adapter
            $0.setCopy(copy)
        }
    }
}

extension LedgerSnapshot.Shard {
    /// What has to be done so that it gets an adapter.
    var work: WorkItem { correction == nil ? .train(shard: index) : .correct(shard: index) }
}
