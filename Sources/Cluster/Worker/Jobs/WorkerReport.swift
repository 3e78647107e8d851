import Messages
import Unlearning

/// What the other threads of a worker tell its socket loop.
enum WorkerReport: Sendable {
    case executorReady(Result<ExecutorDescription, TaskFailure>)
    case storeReady(Result<[ShardCopy], TaskFailure>)
    case storage(StorageResult)
    case progress(JobID, WorkerMessage.TaskProgress)
    /// A training passed a slice.
    case stage(JobID, TrainingStage)
    /// The job's stage may answer until its training is done.
    case answers(JobID)
    case finished(JobID, JobOutcome)
    /// What other workers left was deleted: everything that is not yet known to be said.
    case cleared([ClearedNote])
    /// The directory's shards are deleted, except those named.
    case deletedShards(Result<[String], TaskFailure>)
    case ended
}
