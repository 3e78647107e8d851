import ClusterTestSupport
import Coordination
import Messages
import Recommendation
import Unlearning

/// A worker without sockets, files, threads or clock: it keeps prompts by shard on a disk that survives crashes, trains
/// one thing at a time, and lets a training outlive its connection as the real one does.
struct ModelWorker {
    struct Copy {
        /// Digest by prompt id.
        var prompts: [String: String] = [:]
        /// Name of the key that a prompt lies sealed under, by digest.
        var seals: [String: UInt64] = [:]
        var adapter: String?
        var prepared: String?

        var manifest: String {
            ShardManifest(entries: prompts.map { ShardManifest.Entry(id: $0.key, digest: $0.value) }).name
        }
    }

    struct Assignment {
        var value: CoordinatorMessage.Assignment
        var task: TaskID?
        var isComplete = false
    }

    struct Job {
        enum Computation {
            case shard(Int)
            case answer(WorkerMessage)
        }

        var id: Int
        var task: TaskID
        var work: Computation
        var isTraining: Bool
    }

    enum Effect {
        case send(WorkerMessage)
        /// Start computing; the simulation hands in `finished` after a while.
        case start(Int, isTraining: Bool)
    }

    let id: String
    var disk: [Int: Copy] = [:]
    var assignments: [Int: Assignment] = [:]
    var jobs: [Job] = []
    private var nextJob = 1
    /// What it fails at, for tests of failures.
    var failsTraining = false
    /// Its trainings give other bytes than everybody else's.
    var isFalse = false

    init(id: String) {
        self.id = id
    }

    mutating func crash() {
        assignments = [:]
        jobs = []
    }

    /// Answers of the old connection go nowhere; trainings of shards go on.
    mutating func disconnect() {
        for shard in assignments.keys { assignments[shard]?.task = nil }
        let running = jobs.first
        jobs.removeAll { job in
            if case .answer = job.work { job.id != running?.id } else { false }
        }
    }

    func hello(_ specification: TrainingSpecification) -> WorkerMessage {
        .hello(
            WorkerMessage.Hello(
                worker: id, name: id, protocolVersion: CoordinatorLimits.protocolVersion, base: specification.base,
                precision: specification.precision, arithmetic: "arithmetic", threads: 1,
                copies: disk.keys.sorted().compactMap(shardCopy)))
    }

    private func shardCopy(_ shard: Int) -> ShardCopy? {
        disk[shard].map {
            ShardCopy(
                shard: shard, manifest: $0.manifest, prompts: $0.prompts.count, adapter: $0.adapter,
                prepared: $0.prepared)
        }
    }

    mutating func receive(_ message: CoordinatorMessage) -> [Effect] {
        switch message {
        case .welcome, .refused, .heartbeat: return []
        case .assign(let assignment): return assign(assignment)
        case .prompts(let task, let prompts):
            guard let shard = assignments.keys.sorted().first(where: { assignments[$0]?.task == task }) else {
                return []
            }
            for prompt in prompts
            where assignments[shard]?.value.manifest.entries.contains(where: { $0.digest == prompt.digest }) == true {
                disk[shard, default: Copy()].prompts[prompt.id] = prompt.digest
                disk[shard]?.seals[prompt.digest] = assignments[shard]?.value.seal(of: prompt.digest)
            }
            return proceed(shard)
        case .replay(let task, let specification, let prompts):
            let manifest = ShardManifest(
                entries: prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }
            ).name
            return enqueue(
                .answer(trained(task, specification, manifest: manifest)), task: task, isTraining: true)
        case .prepare(let asked):
            let (task, shard, manifest) = (asked.task, asked.shard, asked.manifest)
            guard disk[shard]?.manifest == manifest else {
                return [.send(.failed(task: task, code: .notHeld, message: "another copy"))]
            }
            let name = String(decoding: asked.adapter, as: UTF8.self)
            disk[shard]?.prepared = name
            return enqueue(
                .answer(.prepared(task: task, shard: shard, adapter: name, seconds: 1)), task: task, isTraining: true)
        case .score(let score):
            let margins = score.prompts.map { Float(simulatedHash($0.digest) % 1000) / 500 - 1 }
            return enqueue(
                .answer(.scored(task: score.task, tokens: 1, seconds: 1, margins: margins)), task: score.task,
                isTraining: false)
        case .embed(let task, _, let prompts):
            let values = prompts.flatMap { [Float(simulatedHash($0.digest) % 1000), 1] }
            return enqueue(
                .answer(.embedded(task: task, tokens: 1, seconds: 1, values: values)), task: task, isTraining: false)
        case .compare(let task, let comparison):
            let summary = ComparisonReport.CaseSummary(
                seed: comparison.seed, data: comparison.data, training: 1, validation: 0, test: 1, shards: 1,
                partition: .hash, epochs: 1)
            return enqueue(
                .answer(.compared(task: task, ComparisonReport(cases: [summary]))), task: task, isTraining: true)
        case .cancel(let task):
            for shard in assignments.keys.sorted() where assignments[shard]?.task == task { abandon(shard) }
            return drop { $0.task == task }
        case .release(let shard):
            abandon(shard)
            disk[shard] = nil
            return drop { if case .shard(shard) = $0.work { true } else { false } }
                + [.send(.released(shard: shard))]
        }
    }

    private mutating func abandon(_ shard: Int) {
        assignments[shard] = nil
    }

    /// Waiting jobs go at once; the running one ends without anybody caring.
    private mutating func drop(where condition: (Job) -> Bool) -> [Effect] {
        let running = jobs.first?.id
        jobs.removeAll { $0.id != running && condition($0) }
        return []
    }

    private mutating func assign(_ assignment: CoordinatorMessage.Assignment) -> [Effect] {
        let shard = assignment.shard
        if assignments[shard]?.value.manifest == assignment.manifest,
            assignments[shard]?.value.adapter == assignment.adapter,
            assignments[shard]?.value.correction == assignment.correction
        {
            assignments[shard]?.task = assignment.task
            return assignments[shard]?.isComplete == true ? [] : proceed(shard)
        }
        abandon(shard)
        assignments[shard] = Assignment(value: assignment, task: assignment.task)
        let wanted = Set(assignment.manifest.entries)
        var copy = disk[shard] ?? Copy()
        let before = copy.manifest
        // What lies under another key than today's does not open any more.
        copy.prompts = copy.prompts.filter {
            wanted.contains(ShardManifest.Entry(id: $0.key, digest: $0.value))
                && copy.seals[$0.value] == assignment.seal(of: $0.value)
        }
        copy.seals = copy.seals.filter { seal in copy.prompts.values.contains(seal.key) }
        if copy.manifest != before { (copy.adapter, copy.prepared) = (nil, nil) }
        disk[shard] = copy
        return proceed(shard)
    }

    private mutating func proceed(_ shard: Int) -> [Effect] {
        guard let assignment = assignments[shard], let task = assignment.task else { return [] }
        let held = Set((disk[shard] ?? Copy()).prompts.values)
        let missing = assignment.value.manifest.entries.map(\.digest).filter { !held.contains($0) }
        if !missing.isEmpty { return [.send(.need(task: task, digests: missing))] }
        guard let copy = disk[shard], let known = shardCopy(shard) else { return [] }
        assignments[shard]?.isComplete = true
        if assignment.value.adapter != nil {
            assignments[shard] = nil
            return [.send(.holds(known))]
        }
        if assignment.value.correction == nil,
            copy.adapter == simulatedAdapter(assignment.value.specification, manifest: copy.manifest)
        {
            assignments[shard] = nil
            return [.send(trained(task, assignment.value.specification, manifest: copy.manifest))]
        }
        return [.send(.holds(known))] + enqueue(.shard(shard), task: task, isTraining: true)
    }

    private mutating func enqueue(_ work: Job.Computation, task: TaskID, isTraining: Bool) -> [Effect] {
        jobs.append(Job(id: nextJob, task: task, work: work, isTraining: isTraining))
        nextJob += 1
        return jobs.count == 1 ? starting : []
    }

    private var starting: [Effect] {
        jobs.first.map { [.start($0.id, isTraining: $0.isTraining)] } ?? []
    }

    mutating func finished(_ job: Int) -> [Effect] {
        guard let done = jobs.first, done.id == job else { return [] }
        jobs.removeFirst()
        switch done.work {
        case .answer(let message): return [.send(message)] + starting
        case .shard(let shard):
            guard let assignment = assignments[shard], assignment.isComplete, var copy = disk[shard] else {
                return starting
            }
            assignments[shard] = nil
            if failsTraining {
                return
                    (assignment.task.map {
                        [.send(.failed(task: $0, code: ErrorCode(rawValue: "test"), message: "told to fail"))]
                    } ?? [])
                    + starting
            }
            if let correction = assignment.value.correction {
                let answer = assignment.task.map {
                    Self.corrected($0, correction, assignment.value.specification, manifest: copy.manifest)
                }
                return (answer.map { [.send($0)] } ?? []) + starting
            }
            copy.adapter = simulatedAdapter(assignment.value.specification, manifest: copy.manifest)
            disk[shard] = copy
            let answer = assignment.task.map {
                trained($0, assignment.value.specification, manifest: copy.manifest)
            }
            return (answer.map { [.send($0)] } ?? []) + starting
        }
    }

    /// Some can never be corrected, some workers always fail at.
    private static func corrected(
        _ task: TaskID, _ correction: PendingCorrection, _ specification: TrainingSpecification, manifest: String
    ) -> WorkerMessage {
        switch simulatedHash("correction " + manifest) % 6 {
        case 0: return .failed(task: task, code: CorrectionFallback.forgetSetTooLarge.code, message: "")
        case 1: return .failed(task: task, code: ErrorCode(rawValue: "out-of-memory"), message: "")
        default: break
        }
        let original = String(decoding: correction.original, as: UTF8.self)
        let name = "approximate-\(simulatedHash(original))-\(manifest)"
        var corrections = 1
        if case .approximate(let earlier) = correction.provenance { corrections += earlier.corrections }
        let provenance = ApproximateProvenance(
            method: correction.method.name, original: original, result: name, forgotten: 1, corrections: corrections)
        return .trained(
            task: task,
            TrainingReport(
                adapter: name, manifest: manifest, prompts: 1, specification: specification, steps: 1, tokens: 1,
                seconds: 1, computeSeconds: 1, epochLosses: [],
                correction: CorrectionReport(provenance: provenance, method: correction.method)),
            adapter: Array(name.utf8))
    }

    private func trained(
        _ task: TaskID, _ specification: TrainingSpecification, manifest: String
    ) -> WorkerMessage {
        let name = (isFalse ? "wrong-" : "") + simulatedAdapter(specification, manifest: manifest)
        return .trained(
            task: task,
            TrainingReport(
                adapter: name, manifest: manifest, prompts: 1, specification: specification, steps: 1, tokens: 1,
                seconds: 1, computeSeconds: 1, epochLosses: [0.5]), adapter: Array(name.utf8))
    }
}
