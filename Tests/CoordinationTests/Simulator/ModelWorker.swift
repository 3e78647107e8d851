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
        /// What trainings left after each of their slices but the last.
        var stages: [ModelStage] = []

        var manifest: String {
            ShardManifest(entries: prompts.map { ShardManifest.Entry(id: $0.key, digest: $0.value) }).name
        }
    }

    struct Assignment {
        var value: CoordinatorMessage.Assignment
        var id: TaskID
        var task: TaskID?
        var isComplete = false
        /// It waits for what another worker made of the training.
        var isFetching = false
        /// What was offered to answer until it is trained, and not taken back.
        var offered: ServedModelStage?
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
        /// Steps that were told of it.
        var steps = 0
        /// It runs to its end and is answered to nobody.
        var isUnwanted = false
    }

    enum Effect {
        case send(WorkerMessage)
        /// Start computing; the simulation hands in `finished` after a while.
        case start(Int, isTraining: Bool)
        /// The process ends.
        case leave
    }

    let id: String
    var disk: [Int: Copy] = [:] {
        didSet { diskRevision += 1 }
    }
    /// Counts changes of the disk.
    private(set) var diskRevision = 0
    var assignments: [Int: Assignment] = [:]
    var jobs: [Job] = []
    /// Answers that the coordinator has not confirmed.
    private var results: [(task: TaskID, message: WorkerMessage)] = []
    /// Content names of adapters in memory, and scoring tasks that wait for some.
    private(set) var adapters: Set<String> = []
    private var waiting: [CoordinatorMessage.ScoreTask] = []
    private var contents: [TaskID: HeldTask.Content] = [:]
    private var nextJob = 1
    /// How many came from other workers.
    var stagesTaken = 0
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
        results = []
        adapters = []
        waiting = []
        contents = [:]
    }

    /// Everything goes on; adapters are asked for anew.
    mutating func disconnect() { adapters = [] }

    private var held: [HeldTask] {
        let trainings = assignments.keys.sorted().compactMap { assignments[$0] }.map { assignment in
            let value = assignment.value
            let training = HeldTask.Training(
                shard: value.shard, manifest: value.manifest.name, specification: value.specification)
            let isTraining = value.adapter == nil && value.correction == nil
            return HeldTask(task: assignment.id, content: isTraining ? .training(training) : nil)
        }
        let answers = jobs.filter { if case .answer = $0.work { true } else { false } }.map {
            HeldTask(task: $0.task, content: contents[$0.task])
        }
        return results.map { HeldTask(task: $0.task, content: contents[$0.task], share: 1) } + trainings + answers
            + waiting.map { HeldTask(task: $0.task, content: contents[$0.task]) }
    }

    /// What another start of the coordinator may know the task by.
    private static func content(of message: CoordinatorMessage) -> (TaskID, HeldTask.Content)? {
        switch message {
        case .replay(let task, let specification, let prompts):
            let entries = prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }
            return (task, .replay(manifest: ShardManifest(entries: entries).name, specification: specification))
        case .score(let score) where score.adapters.count == 1 && score.weights.isEmpty:
            return (
                score.task,
                .margins(adapter: score.adapters[0], rule: score.rule, digests: score.prompts.map(\.digest))
            )
        case .embed(let task, let source, let prompts):
            return (task, .embeddings(source, digests: prompts.map(\.digest)))
        default: return nil
        }
    }

    private mutating func connect(goingOnWith tasks: [TaskID]) -> [Effect] {
        results.removeAll { !tasks.contains($0.task) }
        waiting.removeAll { !tasks.contains($0.task) }
        _ = drop { job in
            if case .answer = job.work { !tasks.contains(job.task) } else { false }
        }
        if let running = jobs.first, case .answer = running.work, !tasks.contains(running.task) {
            jobs[0].isUnwanted = true
        }
        var effects = results.map { Effect.send($0.message) }
        for shard in assignments.keys.sorted() {
            guard let assignment = assignments[shard] else { continue }
            if tasks.contains(assignment.id) {
                assignments[shard]?.task = assignment.id
                if !assignment.isComplete { effects += proceed(shard) }
            } else if assignment.value.correction != nil || assignment.value.adapter != nil {
                abandon(shard)
            } else {
                assignments[shard]?.task = nil
            }
        }
        return effects + waiting.map { .send(.lacks(task: $0.task, adapters: lacking($0))) }
    }

    private func lacking(_ task: CoordinatorMessage.ScoreTask) -> [String] {
        task.adapters.filter { !adapters.contains($0) }
    }

    /// Answers are kept until they are known to have come.
    private mutating func keeping(_ effects: [Effect]) -> [Effect] {
        for case .send(let message) in effects {
            guard let task = message.answeredTask else { continue }
            results.removeAll { $0.task == task }
            results.append((task, message))
        }
        return effects
    }

    /// News of what is being computed: it is a step further each time.
    mutating func tellOfProgress() -> [Effect] {
        guard !jobs.isEmpty else { return [] }
        jobs[0].steps += 1
        let job = jobs[0]
        var task: TaskID? = job.task
        if case .shard(let shard) = job.work { task = assignments[shard]?.task }
        return task.map {
            [
                .send(
                    .progress(
                        .init(
                            task: $0, step: job.steps, steps: 999, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)))
            ]
        } ?? []
    }

    func hello(_ specification: TrainingSpecification) -> WorkerMessage {
        var hello = WorkerMessage.Hello(
            worker: id, name: id, protocolVersion: CoordinatorLimits.protocolVersion, base: specification.base,
            precision: specification.precision, arithmetic: "arithmetic", threads: 1,
            copies: disk.keys.sorted().compactMap(shardCopy), work: held)
        hello.label = id
        hello.knowsLeave = true
        hello.averagings = WeightAveraging.allCases.map(\.rawValue)
        hello.methods = ComparisonMethod.allCases.map(\.rawValue)
        hello.comparison = ComparisonPlan.revision
        return .hello(hello)
    }

    func shardCopy(_ shard: Int) -> ShardCopy? {
        disk[shard].map {
            ShardCopy(
                shard: shard, manifest: $0.manifest, prompts: $0.prompts.count, adapter: $0.adapter,
                prepared: $0.prepared, stages: $0.stages.isEmpty ? nil : $0.stages.map(\.name).sorted())
        }
    }

    mutating func receive(_ message: CoordinatorMessage) -> [Effect] {
        if let (task, content) = Self.content(of: message) { contents[task] = content }
        let effects = take(message)
        return keeping(effects)
    }

    private mutating func take(_ message: CoordinatorMessage) -> [Effect] {
        switch message {
        case .welcome(let welcome): return connect(goingOnWith: welcome.work)
        case .refused, .heartbeat: return []
        case .taken(let task):
            results.removeAll { $0.task == task }
            return []
        case .drop(let names):
            adapters.subtract(names)
            return []
        case .adapters(_, let bytes):
            adapters.formUnion(bytes.map { String(decoding: $0, as: UTF8.self) })
            let ready = waiting.filter { lacking($0).isEmpty }
            waiting = waiting.filter { !lacking($0).isEmpty }
            return ready.flatMap { score($0) }
        case .assign(let assignment): return assign(assignment)
        case .prompts(let task, let prompts):
            guard let shard = assignments.keys.sorted().first(where: { assignments[$0]?.task == task }) else {
                return []
            }
            for prompt in prompts
            where assignments[shard]?.value.manifest.entries.contains(where: { $0.digest == prompt.digest }) == true {
                disk[shard, default: Copy()].prompts[prompt.id] = prompt.digest
                let seal = assignments[shard]?.value.seal(of: prompt.digest)
                disk[shard]?.seals[prompt.digest] = seal
            }
            disk[shard]?.dropStages()
            return proceed(shard)
        case .replay(let task, let specification, let prompts):
            return enqueue(
                .answer(trained(task, specification, on: Copy(of: prompts))), task: task, isTraining: true)
        case .replayStage(let replay):
            let copy = Copy(of: replay.prompts)
            let before = copy.kept.first { $0.name == replay.before?.name }
            guard replay.before == nil || before != nil else {
                return [.send(.failed(task: replay.task, code: .stageDiffers, message: ""))]
            }
            let answer = trained(replay.task, replay.specification, on: copy, from: (before?.slice ?? 0) + 1)
            return enqueue(.answer(answer), task: replay.task, isTraining: true)
        case .hand(let asked): return hand(asked)
        case .stage(let shard, let stage): return take(stage, of: shard)
        case .noStage(let shard): return endFetch(shard)
        case .prepare(let asked):
            let (task, shard, manifest) = (asked.task, asked.shard, asked.manifest)
            guard disk[shard]?.manifest == manifest else {
                return [.send(.failed(task: task, code: .notHeld, message: "another copy"))]
            }
            let name = String(decoding: asked.adapter, as: UTF8.self)
            disk[shard]?.prepared = name
            return enqueue(
                .answer(.prepared(task: task, shard: shard, adapter: name, seconds: 1)), task: task, isTraining: true)
        case .score(let task):
            guard lacking(task).isEmpty else {
                waiting.append(task)
                return [.send(.lacks(task: task.task, adapters: lacking(task)))]
            }
            return score(task)
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
        case .leave: return [.leave]
        case .cancel(let task):
            for shard in assignments.keys.sorted() where assignments[shard]?.task == task { abandon(shard) }
            results.removeAll { $0.task == task }
            waiting.removeAll { $0.task == task }
            return drop { $0.task == task }
        case .release(let shard):
            abandon(shard)
            disk[shard] = nil
            return drop { if case .shard(shard) = $0.work { true } else { false } }
                + [.send(.released(shard: shard))]
        }
    }

    private mutating func score(_ task: CoordinatorMessage.ScoreTask) -> [Effect] {
        let margins = task.prompts.map { Float(simulatedHash($0.digest) % 1000) / 500 - 1 }
        return enqueue(
            .answer(.scored(task: task.task, tokens: 1, seconds: 1, margins: margins)), task: task.task,
            isTraining: false)
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
            assignments[shard]?.id = assignment.task
            guard assignments[shard]?.isComplete == true else { return proceed(shard) }
            // Somebody may not have heard of it.
            let offered = assignments[shard]?.offered?.message(task: assignment.task, assignment.specification)
            return offered.map { [.send($0)] } ?? []
        }
        abandon(shard)
        assignments[shard] = Assignment(value: assignment, id: assignment.task, task: assignment.task)
        bring(shard, to: assignment)
        return proceed(shard)
    }

    mutating func bring(_ shard: Int, to assignment: CoordinatorMessage.Assignment) {
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
        copy.dropStages()
        disk[shard] = copy
    }

    private mutating func proceed(_ shard: Int) -> [Effect] {
        guard let assignment = assignments[shard], let task = assignment.task else { return [] }
        let held = Set((disk[shard] ?? Copy()).prompts.values)
        let missing = assignment.value.manifest.entries.map(\.digest).filter { !held.contains($0) }
        if !missing.isEmpty { return [.send(.need(task: task, digests: missing))] }
        guard let copy = disk[shard], let known = shardCopy(shard) else { return [] }
        func wants() -> [Effect] {
            copy.lacking.isEmpty ? [] : [.send(.wants(shard: shard, manifest: copy.manifest, stages: copy.lacking))]
        }
        if let adapter = assignment.value.adapter {
            assignments[shard] = nil
            guard adapter.isEmpty else { return [.send(.holds(known))] + wants() }
            // Its training has to wait: what is there may answer meanwhile.
            let beside = copy.served.map { Effect.send($0.message(task: task, assignment.value.specification)) }
            return [beside].compactMap { $0 } + [.send(.holds(known))]
        }
        if assignment.value.correction == nil,
            copy.adapter == simulatedAdapter(assignment.value.specification, manifest: copy.manifest)
        {
            assignments[shard] = nil
            return [.send(trained(task, assignment.value.specification, on: copy))] + wants()
        }
        let isBehind = copy.kept.last.map { !copy.stages.contains($0) } ?? false
        guard assignment.value.correction == nil, isBehind else { return [.send(.holds(known))] + start(shard) }
        assignments[shard]?.isFetching = true
        return [.send(.holds(known))] + wants()
    }

    mutating func start(_ shard: Int) -> [Effect] {
        guard let assignment = assignments[shard], let copy = disk[shard] else { return [] }
        assignments[shard]?.isComplete = true
        assignments[shard]?.isFetching = false
        var said: [Effect] = []
        if assignment.value.correction == nil {
            if let task = assignment.task, let stage = copy.served {
                said.append(.send(stage.message(task: task, assignment.value.specification)))
                // Some prove to be of no use, and are made again.
                let isBad = simulatedHash("withdrawn " + stage.manifest.name) % 4 == 0
                if isBad { said.append(.send(.withdrawn(task: task))) } else { assignments[shard]?.offered = stage }
            }
            // A worker that is killed now may have passed any slice.
            disk[shard]?.keepStages()
        }
        return said + enqueue(.shard(shard), task: assignment.task ?? assignment.id, isTraining: true)
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
        let effects = end(job)
        return keeping(effects)
    }

    private mutating func end(_ job: Int) -> [Effect] {
        guard let done = jobs.first, done.id == job else { return [] }
        jobs.removeFirst()
        switch done.work {
        case .answer(let message): return (done.isUnwanted ? [] : [.send(message)]) + starting
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
                trained($0, assignment.value.specification, on: copy)
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
        _ task: TaskID, _ specification: TrainingSpecification, on copy: Copy, from first: Int = 1
    ) -> WorkerMessage {
        let manifest = copy.manifest
        let name = (isFalse ? "wrong-" : "") + simulatedAdapter(specification, manifest: manifest)
        return .trained(
            task: task,
            TrainingReport(
                adapter: name, manifest: manifest, prompts: 1, specification: specification, steps: 1, tokens: 1,
                seconds: 1, computeSeconds: 1, epochLosses: [0.5],
                slices: SlicesReport(
                    count: ModelStage.slices, first: first, tokens: 1, stages: copy.reports(adapter: name))),
            adapter: Array(name.utf8))
    }
}
