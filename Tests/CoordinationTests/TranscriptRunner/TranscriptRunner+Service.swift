import ClusterTestSupport
import Coordination
import Messages
import Recommendation

/// What the service of the real coordinator does with actions.
extension TranscriptRunner {
    /// - Returns: the events that follow.
    mutating func perform(_ action: CoordinatorAction) -> [CoordinatorEvent] {
        switch action {
        case .send(_, .cancel(let task)):
            given[task] = nil
            return []
        case .send, .reply, .working, .log, .superseded: return []
        case .dispatch(let peer, let task): return dispatch(task, to: peer)
        case .ledger(let id, let command):
            // Nothing waits for it.
            if case .noteWorkers = command { return [.ledger(id, ledger.perform(command))] }
            guard waiting == nil else {
                waiting?.append((id, command))
                return []
            }
            return [.ledger(id, commit(command))]
        case .loadMissing(let rows, let limit):
            let missing = Array(ledger.missing(rows).prefix(limit))
            lines.append("  \(missing.list)")
            return [.missing(rows, .success(missing))]
        case .findGone(let digests):
            let there = Set(ledger.people.flatMap { $0.digests + [$0.validation, $0.test] })
            return [.goneFound(.success(digests.filter { !there.contains($0) }))]
        case .loadSplit(let operation, let split, _):
            let digests: [String] =
                switch split {
                case .train: ledger.people.flatMap(\.digests)
                case .validation: ledger.people.map(\.validation)
                case .test: ledger.people.map(\.test)
                }
            lines.append("  \(digests.list)")
            let loaded = LoadedSplit(
                digests: digests, missingEmbeddings: digests, looksAtQuery: ledger.adapters.count > 1)
            return [.splitLoaded(operation: operation, .success(loaded))]
        case .loadComparison(let operation, _):
            let loaded = LoadedComparison(cases: PlannedCase.samples(1), basis: ledger.snapshot.validationDigest)
            return [.comparisonLoaded(operation: operation, .success(loaded))]
        case .loadForgetShards(let operation, let request):
            guard let record = ledger.records.first(where: { $0.id == request }) else {
                let error = ClientError(code: .unknownOperation, message: "there is no forget request \(request)")
                return [.forgetShards(operation: operation, .failure(error))]
            }
            lines.append("  \(record.outcome.shards.shards)")
            return [.forgetShards(operation: operation, .success(record.outcome.shards))]
        case .loadStages(let operation): return [.stages(operation: operation, .success([:]))]
        case .computeWeights(let operation, let request):
            let count = request.digests.count * request.adapters.count
            let weights = [Float](repeating: 1 / Float(request.adapters.count), count: count)
            return [.weights(operation: operation, generation: request.generation, request.scope, .success(weights))]
        case .buildEvaluation(let operation, _): return [.evaluation(operation: operation, .success([1]))]
        }
    }

    /// The ledger writes down whose disk gets what, before it is sent.
    private mutating func dispatch(_ task: Dispatch, to peer: PeerID) -> [CoordinatorEvent] {
        let copy: (shard: Int, manifest: String, holder: CopyHolder)? =
            switch task {
            case .assign(_, let shard, let manifest, _, _, let holder): (shard, manifest, holder)
            case .correct(_, let shard, let manifest, _, let holder): (shard, manifest, holder)
            case .prepare, .prompts, .adapters, .replay, .replayStage, .hand, .stage, .noStage, .embed, .score,
                .compare:
                nil
            }
        if let copy {
            let code: ErrorCode? =
                ledger.manifest(of: copy.shard) != copy.manifest ? .stale : ledger.isDiskFull ? .diskFull : nil
            if let code {
                lines.append("  cannot be sent: \(code)")
                return [.undelivered(peer: peer, task: task.task, ClientError(code: code, message: code.rawValue))]
            }
            ledger.record(
                HandedCopy(
                    worker: copy.holder.worker, name: copy.holder.name, shard: copy.shard, manifest: copy.manifest))
        }
        if case .prompts = task { return [] }
        given[task.task] = Given(worker: names[peer] ?? "", task: task)
        lastTask = max(lastTask, task.task)
        return []
    }

    mutating func commit(_ command: LedgerCommand) -> LedgerOutcome {
        let outcome = ledger.perform(command)
        switch outcome {
        case .failed(let error): lines.append("  not done: \(error.code)")
        case .committed, .forgotten, .finished: lines += ledger.notes.map { "  \($0)" }
        }
        return outcome
    }
}
