import Files
import Messages
import Recommendation
import Unlearning

/// The stage that is to answer until a shard is trained. A coordinator is told again when it is found again: it may not have heard
/// of it, or be another one.
struct OfferedStage: Sendable {
    enum State: Sendable, Equatable {
        /// It is offered to nobody before the training found it to be one that it can go on from.
        case unchecked
        case offered
        /// The training that went on from it came to numbers that are none.
        case withdrawn
    }

    /// `StageNames`
    let name: String
    /// What it was trained on.
    let data: StageData
    let report: TrainingReport
    let adapter: [UInt8]
    var state = State.unchecked
    /// The training did not begin at it, but has passed it.
    var isPassed = false
}

/// What is known in this process of the stages and checkpoints of one training on a shard's data.
struct StageEvidence: Sendable {
    let manifest: String
    let specification: TrainingSpecification
    /// Names of those that the last training from the start has passed: they are what a training leaves.
    var passed: Set<String> = []
    /// Names of those from which a training came to numbers that are none, and that none from the start has passed since.
    var doubted: Set<String> = []

    init(_ assignment: ShardAssignment) {
        (manifest, specification) = (assignment.manifestDigest, assignment.specification)
    }

    func isOf(_ assignment: ShardAssignment) -> Bool {
        manifest == assignment.manifestDigest && specification == assignment.specification
    }
}

/// An assignment on its way from the message to the answer.
struct ShardAssignment: Sendable {
    enum Phase: Sendable, Equatable {
        /// The storage command of this id brings the disk to the manifest.
        case updating(UInt64)
        /// The coordinator was asked for these.
        case waiting([String])
        /// The coordinator was asked for stages at which the training could begin.
        case fetching(StageFetch)
        case training(JobID)
        /// The storage command of this id keeps the adapter; then it is reported.
        case saving(UInt64, TrainingReport, [UInt8])
    }

    let shard: Int
    let manifest: ShardManifest
    let manifestDigest: String
    /// Those that came last.
    var keys: ShardKeys
    let specification: TrainingSpecification
    let adapter: String?
    /// nil: train.
    let correction: PendingCorrection?
    /// Content name of what is corrected.
    let original: String?
    /// IFRU's, as it was on the disk when the assignment came.
    var preparation: InfluencePreparation?
    /// The id under which it came last.
    var id: TaskID
    /// nil: a coordinator was found that does not wait for it.
    var task: TaskID?
    var phase: Phase
    /// The stage that the training began at, or the first that it passed, as an adapter that may answer; nil: there was none.
    var offered: OfferedStage?
    /// A forget request waits for the shard: a clean stage may answer.
    var isAwaited: Bool
    /// Names of the stages that the training has passed.
    var passed: Set<String> = []
    /// The last one at the end.
    var unkept: [Unkept] = []
    /// What the training began at; nil: at the initial adapter.
    var begunAt: String?
    /// Stages and checkpoints from which the training could not go on; nil: it takes none at all.
    var unusable: Set<String>? = []
    /// The training that is saved.
    var trainedBy: JobID?

    init(_ assignment: CoordinatorMessage.Assignment, phase: Phase) {
        shard = assignment.shard
        manifest = assignment.manifest
        manifestDigest = assignment.manifest.digest
        keys = assignment.keys
        specification = assignment.specification
        adapter = assignment.adapter
        correction = assignment.correction
        isAwaited = assignment.isAwaited
        original = assignment.correction.map { sha256($0.original) }
        id = assignment.task
        task = assignment.task
        self.phase = phase
    }

    /// Whatever the keys.
    func isSame(as other: CoordinatorMessage.Assignment) -> Bool {
        specification == other.specification && adapter == other.adapter && manifest == other.manifest
            && correction == other.correction
    }

    /// The command that brings the disk to the manifest.
    func update(offered: [TrainingPrompt]) -> StorageCommand.Access {
        let isPreparable = if case .ifru = correction?.method { preparation == nil } else { false }
        return .update(
            manifest, keys: keys, offered: offered, specification: specification,
            preparationOf: isPreparable ? original : nil, isTrained: adapter.map { !$0.isEmpty } ?? false)
    }

    /// Whether a stage that the training passes is to answer: none was offered, or that at which it began was found not to.
    var takesPassed: Bool { offered.map { $0.state == .unchecked && !$0.isPassed } ?? true }

    /// What a training began at is offered in any case: coordinators of older releases do not say that somebody waits.
    func isToOffer(_ stage: OfferedStage) -> Bool { isAwaited || !stage.isPassed }

    /// Whether the training may not begin at this stage.
    func isUnusable(_ stage: String) -> Bool { unusable?.contains(stage) ?? true }

    /// Whether a kept result is what is asked for.
    func isAnswered(by report: TrainingReport) -> Bool {
        guard let correction else { return report.isExact }
        guard let made = report.correction else { return false }
        return made.provenance.original == original && made.method == correction.method
    }

    /// The storage command that this waits for.
    var operation: UInt64? {
        switch phase {
        case .updating(let id), .saving(let id, _, _): id
        case .waiting, .fetching, .training: nil
        }
    }
}

/// A training that waits for what another worker made of it.
struct StageFetch: Sendable, Equatable {
    let prompts: [TrainingPrompt]
    /// Where it begins if nothing comes: what the disk has; nil: at the initial adapter.
    var stage: TrainingStage?
    var data: StageData?
    /// Where it begins unless a later stage comes; nil: no training was cut off here.
    var checkpoint: TrainingStage?
    /// Names, last slice first.
    let wanted: [String]
    /// Stages that have come and are on their way to the disk.
    var arriving = 0
    /// No more come.
    var hasEnded = false

    /// Slices that need not be trained again.
    var passed: Int { max(stage?.slice ?? 0, (checkpoint?.slice ?? 1) - 1) }
    /// What the training begins at.
    var first: TrainingStage? { checkpoint.flatMap { $0.slice > stage?.slice ?? 0 ? $0 : nil } ?? stage }
}

/// A preparation on its way from the message to the answer; lost with its shard's copy.
struct ShardPreparation: Sendable {
    enum Phase: Sendable, Equatable {
        /// The storage command of this id reads the prompts.
        case reading(UInt64)
        case computing(JobID)
        /// The storage command of this id keeps the result.
        case keeping(UInt64, seconds: Double)
    }

    let task: TaskID
    let manifest: String
    let adapter: [UInt8]
    let trial: InfluenceTrial
    var phase: Phase
}

/// One running job and those that wait, first come first served.
struct JobQueue: Sendable {
    private(set) var running: JobID?
    private var waiting: [Job] = []

    init() {}

    /// - `stopping`: a job of which nothing is wanted any more.
    init(stopping: JobID?) { running = stopping }

    /// - Returns: the job, if it can start now.
    mutating func add(_ job: Job) -> Job? {
        guard running == nil else {
            waiting.append(job)
            return nil
        }
        running = job.id
        return job
    }

    /// - Returns: the job that starts next.
    mutating func finish(_ job: JobID) -> Job? {
        guard running == job else { return nil }
        running = nil
        guard !waiting.isEmpty else { return nil }
        let next = waiting.removeFirst()
        running = next.id
        return next
    }

    /// Forgets a waiting job.
    ///
    /// - Returns: whether the job runs, and so has to be told.
    mutating func cancel(_ job: JobID) -> Bool {
        waiting.removeAll { $0.id == job }
        return running == job
    }
}
