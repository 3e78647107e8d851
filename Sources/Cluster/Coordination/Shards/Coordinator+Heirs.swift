import Messages

/// What a worker that owns a trained shard is given its data for, though it may have it: to say which stages it lacks while somebody
/// else still has them, and to delete the checkpoint of a training that somebody else has finished.
extension Coordinator {
    func isToBeSettled(of number: Int) -> Bool {
        guard let id = owners[number], let copy = roster.copy(of: number, at: id),
            copy.hasCheckpoint || roster.holders(of: number).count > 1, let owner = roster[id]
        else { return false }
        return isToBeSettled(copy, of: owner)
    }

    /// - `copy`: of a trained shard's present data.
    func isToBeSettled(_ copy: KnownCopy, of owner: KnownWorker) -> Bool {
        guard let shard = shard(copy.shard), copy.isExactly(shard.manifest),
            // Until the dispute has an end, whoever asks for stages is turned away.
            check(of: shard.index)?.isDisputed != true,
            !exchanges.wasGiven(shard.index, to: owner.id, manifest: shard.manifest)
        else { return false }
        return copy.hasCheckpoint || !stageHolders(for: owner, shard).isEmpty
    }

    /// Whether stages that the owner lacks are with a worker that is drained, and goes as soon as it can.
    func isInherited(_ number: Int) -> Bool {
        guard !roster.holders(of: number).isEmpty, let shard = shard(number),
            let owner = owners[number].flatMap({ roster[$0] })
        else { return false }
        return stageHolders(for: owner, shard).contains { roster.stance(of: $0) == .gives }
    }

    /// Ids of the workers here that have stages of the shard's training which the owner lacks.
    private func stageHolders(for owner: KnownWorker, _ shard: LedgerSnapshot.Shard) -> [String] {
        let here = roster.liveHolders(of: shard.index)
        guard here.contains(where: { $0 != owner.id }), owner.knows(.handingOver),
            !exchanges.isWanted(shard.index, by: owner.id),
            !exchanges.hasEnded(shard.index, for: owner.id, manifest: shard.manifest)
        else { return [] }
        let present = Set(owner.copy(of: shard.index)?.stages ?? [])
        return known(here).filter { holder in
            guard holder.id != owner.id, holder.knows(.handingOver), let copy = holder.copy(of: shard.index),
                copy.isExactly(shard.manifest)
            else { return false }
            return copy.stages.contains { !present.contains($0) }
        }.map(\.id)
    }

    /// Who trains another shard takes over what a drained worker is about to delete all the same: nothing is computed for it.
    mutating func giveInheritedCopies() {
        guard !index.inherited.isEmpty else { return }
        for id in index.inherited.keys.sorted() where tasks.load(of: id).copies == 0 {
            guard let worker = roster[id], worker.stance == .works,
                let shard = shardToKeep(by: worker, isInherited: true)
            else { continue }
            giveCopy(of: shard, to: worker)
        }
    }

    /// Its data, which it is to keep.
    mutating func giveCopy(of shard: LedgerSnapshot.Shard, to worker: KnownWorker) {
        guard let peer = worker.peer, let adapter = shard.adapter else { return }
        let id = give(.copy(shard: shard.index, manifest: shard.manifest), to: worker)
        tasks.noteIsToSayLacking(id)
        roster.update(worker.id) { $0.expect(shard: shard.index, manifest: shard.manifest) }
        dispatch(
            .assign(
                task: id, shard: shard.index, manifest: shard.manifest,
                specification: settings.configuration.training, adapter: adapter.name, to: worker.holder), to: peer)
    }
}
