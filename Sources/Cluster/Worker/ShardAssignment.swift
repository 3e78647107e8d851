import Recommendation
import Unlearning

/// An assignment on its way from the message to the answer.
struct ShardAssignment: Sendable {
    enum Phase: Sendable, Equatable {
        /// The storage command of this id brings the disk to the manifest.
        case updating(UInt64)
        /// The coordinator was asked for these.
        case waiting([String])
        case training(JobID)
        /// The storage command of this id keeps the adapter; then it is reported.
        case saving(UInt64, WorkerMessage.TrainedReport, [UInt8])
    }

    let shard: Int
    let manifest: ShardManifest
    let manifestDigest: String
    let specification: TrainingSpecification
    let adapter: String?
    /// nil since the connection on which it came was lost.
    var task: TaskID?
    var phase: Phase

    init(_ assignment: CoordinatorMessage.Assignment, phase: Phase) {
        shard = assignment.shard
        manifest = assignment.manifest
        manifestDigest = assignment.manifest.digest
        specification = assignment.specification
        adapter = assignment.adapter
        task = assignment.task
        self.phase = phase
    }

    func isSame(as other: CoordinatorMessage.Assignment) -> Bool {
        specification == other.specification && adapter == other.adapter && manifest == other.manifest
    }

    /// The storage command that this waits for.
    var operation: UInt64? {
        switch phase {
        case .updating(let id), .saving(let id, _, _): id
        case .waiting, .training: nil
        }
    }
}

/// One running job and those that wait, first come first served.
struct JobQueue: Sendable {
    private(set) var running: JobID?
    private var waiting: [Job] = []

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
