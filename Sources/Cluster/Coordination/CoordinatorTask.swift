import Messages

/// A unit of work given to a worker.
struct CoordinatorTask: Sendable {
    enum Kind: Sendable {
        case train(shard: Int, manifest: String)
        /// Correct the quarantined adapter towards the manifest instead.
        case correct(shard: Int, manifest: String)
        /// IFRU's preparation of a published adapter.
        case prepare(shard: Int, manifest: String, adapter: String)
        /// Take a trained shard's data into keeping.
        case copy(shard: Int, manifest: String)
        /// Embeddings or reference margins.
        case values(MissingValues, digests: [String])
        case part(OperationPart)
        /// Train the shard's data a second time, for comparison.
        case check(shard: Int, manifest: String)
    }

    var id: TaskID
    var worker: String
    var kind: Kind
    /// When the worker was last heard of about it.
    var lastNews: CoordinatorInstant
    var headway = TaskHeadway()
    var progress: WorkerMessage.TaskProgress?
    /// Set while its worker is away and expected back: the task stays the worker's until then.
    var awaitedUntil: CoordinatorInstant?
    /// The worker had nothing of the task's manifest before, and was sent none of its prompts yet.
    var isWithoutData = false
    /// The worker was told that the shard is trained, and so says which stages it lacks.
    var isToSayLacking = false

    var work: WorkItem {
        switch kind {
        case .train(let shard, _): .train(shard: shard)
        case .correct(let shard, _): .correct(shard: shard)
        case .prepare(let shard, _, _): .prepare(shard: shard)
        case .copy(let shard, _): .copy(shard: shard)
        case .values(let rows, _): .values(rows)
        case .part(let part): .operation(part.operation)
        case .check(let shard, _): .check(shard: shard)
        }
    }

    /// Its worker tells of its steps.
    var isPaced: Bool {
        switch kind {
        case .train, .copy, .check: true
        case .part(let part): part.isReplay
        case .correct, .prepare, .values: false
        }
    }

    /// nil: it is about none in particular.
    var shard: Int? {
        switch kind {
        case .train(let shard, _), .correct(let shard, _), .prepare(let shard, _, _), .copy(let shard, _),
            .check(let shard, _):
            shard
        case .values, .part: nil
        }
    }

    var isCopy: Bool {
        if case .copy = kind { true } else { false }
    }

    /// Trainings have a worker for themselves.
    var isTraining: Bool {
        switch kind {
        case .train, .correct, .prepare, .check: true
        case .part(let part): part.isReplay || part.comparisonCase != nil
        case .copy, .values: false
        }
    }
}

/// A piece of the work of an evaluation or verification.
struct OperationPart: Sendable {
    enum Item: Sendable, Hashable {
        /// Positions in the attention's list of prompts without embedding.
        case embed(AttentionScope, Range<Int>)
        case score(series: Int, Range<Int>)
        /// The comparison with one adapter on all data.
        case single
        /// Position in the verification's list.
        case replay(Int)
        /// Position of a comparison's case.
        case compare(Int)
    }

    var operation: String
    /// Which run of the operation it belongs to; an operation starts anew when data changes under it.
    var generation: Int
    var item: Item

    var isReplay: Bool {
        switch item {
        case .single, .replay: true
        case .embed, .score, .compare: false
        }
    }
}

/// What failures are counted for.
enum WorkItem: Hashable, Sendable {
    case train(shard: Int)
    case correct(shard: Int)
    case prepare(shard: Int)
    case copy(shard: Int)
    case check(shard: Int)
    case values(MissingValues)
    case operation(String)
}

/// Failures of one kind of work since it last succeeded.
struct WorkItemFailures: Sendable {
    var work: WorkItem
    var count: Int
    /// The worker it failed on last; another one is preferred.
    var worker: String
    var error: ClientError
    /// Set when it failed too often.
    var pausedUntil: CoordinatorInstant?
}
