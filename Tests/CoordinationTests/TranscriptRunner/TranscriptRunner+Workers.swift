import ClusterTestSupport
import Coordination
import Messages
import Unlearning

/// What workers say.
extension TranscriptRunner {
    mutating func say(_ message: WorkerMessage, by worker: String) throws(TranscriptObjection) {
        guard let peer = peers[worker] else { throw TranscriptObjection("worker \(worker) is not there") }
        try feed(.worker(peer: peer, message))
    }

    /// What shows that the id is this worker's.
    static func secret(of worker: String) -> String { "the secret of \(worker)" }

    mutating func hello(
        _ worker: String, base: String?, copy: [(manifest: String, adapter: String?)]
    ) throws(TranscriptObjection) {
        let earlier = names.values.count { $0 == worker }
        let peer = PeerID(Array("\(worker) \(earlier)".utf8))
        peers[worker] = peer
        names[peer] = worker
        given = given.filter { $0.value.worker != worker }
        var copies: [ShardCopy] = []
        for (manifest, adapter) in copy {
            guard let contents = ledger.contents[manifest], let shard = Self.shard(of: manifest) else {
                throw TranscriptObjection("there was no manifest \(manifest)")
            }
            copies.append(.init(shard: shard, manifest: manifest, prompts: contents.prompts, adapter: adapter))
        }
        var hello = WorkerMessage.Hello(
            worker: worker, secret: Self.secret(of: worker), name: worker,
            protocolVersion: CoordinatorLimits.protocolVersion, base: base ?? Self.base, precision: .f32,
            arithmetic: Self.arithmetic, threads: 1, copies: copies)
        hello.label = worker
        hello.knowsLeave = true
        hello.averagings = WeightAveraging.allCases.map(\.rawValue)
        hello.methods = ComparisonMethod.allCases.map(\.rawValue)
        hello.comparison = ComparisonPlan.revision
        try say(.hello(hello), by: worker)
    }

    private static func shard(of manifest: String) -> Int? {
        Int(manifest.dropFirst().prefix { $0.isNumber })
    }

    mutating func forgetConnection(of worker: String) {
        peers[worker] = nil
        given = given.filter { $0.value.worker != worker }
    }

    // MARK: tasks

    /// The task's manifest.
    func manifest(of task: TaskID, given worker: String) throws(TranscriptObjection) -> String {
        guard let known = given[task], known.worker == worker else {
            throw TranscriptObjection("worker \(worker) has no task \(task)")
        }
        switch known.task {
        case .assign(_, _, let manifest, _, _, _), .correct(_, _, let manifest, _, _), .prepare(_, _, let manifest, _),
            .replay(_, _, .shard(_, let manifest)):
            return manifest
        case .prompts, .adapters, .replay, .replayStage, .hand, .stage, .noStage, .embed, .score, .compare:
            throw TranscriptObjection("task \(task) has no manifest")
        }
    }

    /// - Parameter adapter: what the training gave; nil: what such a training gives everywhere.
    mutating func report(_ task: TaskID, by worker: String, as adapter: String?) throws(TranscriptObjection) {
        guard let known = given.removeValue(forKey: task), known.worker == worker else {
            throw TranscriptObjection("worker \(worker) has no task \(task)")
        }
        try say(answer(to: known.task, adapter: adapter), by: worker)
    }

    mutating func send(_ adapter: String, for task: TaskID, by worker: String) throws(TranscriptObjection) {
        let manifest = "m" + adapter.dropFirst()
        guard given[task] == nil, Self.shard(of: manifest) != nil, ledger.contents[manifest] != nil else {
            throw TranscriptObjection("it is waited for, or there was no manifest \(manifest)")
        }
        try say(trained(task, manifest, adapter), by: worker)
    }

    private func answer(to dispatch: Dispatch, adapter: String?) throws(TranscriptObjection) -> WorkerMessage {
        switch dispatch {
        case .assign(let task, _, let manifest, _, nil, _):
            return trained(task, manifest, adapter)
        case .assign(_, let shard, let manifest, _, let kept?, _):
            let prompts = ledger.contents[manifest]?.prompts ?? 0
            return .holds(.init(shard: shard, manifest: manifest, prompts: prompts, adapter: kept.isEmpty ? nil : kept))
        case .correct(let task, let shard, let manifest, _, _):
            guard let (method, original) = ledger.corrections[shard] else {
                throw TranscriptObjection("nothing of shard \(shard) is to be corrected")
            }
            let name = adapter ?? "c" + manifest.dropFirst()
            let provenance = ApproximateProvenance(
                method: method, original: original.name, result: name, forgotten: 1,
                corrections: (original.corrected?.corrections ?? 0) + 1)
            let correction = CorrectionReport(
                provenance: provenance, method: CorrectionConfiguration().method(method))
            return trained(task, manifest, name, correction)
        case .prepare(let task, let shard, _, let adapter):
            return .prepared(task: task, shard: shard, adapter: adapter, seconds: 1)
        case .replay(let task, _, .shard(_, let manifest)): return trained(task, manifest, adapter)
        case .replay(let task, _, .everything): return trained(task, "m", adapter)
        case .embed(let task, _, _, let digests):
            return .embedded(task: task, tokens: 1, seconds: 1, values: digests.map { _ in 1 })
        case .score(let task, _, _, _, let digests):
            return .scored(task: task, tokens: 1, seconds: 1, margins: digests.map { _ in 0.5 })
        case .prompts, .adapters, .compare, .replayStage, .hand, .stage, .noStage:
            throw TranscriptObjection("no transcript tells of an answer to this task")
        }
    }

    private func trained(
        _ task: TaskID, _ manifest: String, _ adapter: String?, _ correction: CorrectionReport? = nil
    ) -> WorkerMessage {
        let name = adapter ?? TranscriptLedger.adapter(of: manifest)
        return .trained(
            task: task,
            TrainingReport(
                adapter: name, manifest: manifest, prompts: ledger.contents[manifest]?.prompts ?? 0,
                specification: Self.specification, steps: 1, tokens: 1, seconds: 1, computeSeconds: 1,
                epochLosses: [0.5], correction: correction), adapter: Array(name.utf8))
    }

    /// Whoever is there does one task after the other until nothing is left.
    mutating func workOff() throws(TranscriptObjection) {
        while let task = given.keys.min(), let worker = given[task]?.worker {
            lines.append("(worker \(worker) does task \(task))")
            try report(task, by: worker, as: nil)
        }
    }
}
