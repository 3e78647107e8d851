import Foundation
import Unlearning

/// What keeping stages and checkpoints takes of the disk, by training. Checkpoints take a hundredth of a training's time at most,
/// and one of them more: what a slow disk has no time for is left out.
package struct StageWriting {
    private static let share = 0.01

    private struct Training {
        var job: JobID
        var since: ContinuousClock.Instant
        var kept = KeepingReport()
        var checkpointSeconds = 0.0
    }

    /// By shard: the last one of each.
    private var trainings: [Int: Training] = [:]

    package init() {}

    /// Whether the command, if it keeps a checkpoint, is to be carried out now. One in whose place lies what is not to stay always is.
    package func hasTime(for command: StorageCommand, at now: ContinuousClock.Instant) -> Bool {
        guard command.keptStage?.isCheckpoint == true, !command.replacesDoubted,
            let training = trainings[command.shard], training.job == command.job
        else { return true }
        return training.checkpointSeconds <= Self.share * ((now - training.since) / .seconds(1))
    }

    /// The command was carried out between these moments.
    ///
    /// - `processor`: seconds of a processor that it took.
    package mutating func note(
        _ command: StorageCommand, _ outcome: StorageResult.Outcome, from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant, processor: Double
    ) {
        guard let stage = command.keptStage, let job = command.job else { return }
        var training = trainings[command.shard].flatMap { $0.job == job ? $0 : nil } ?? Training(job: job, since: start)
        let seconds = (end - start) / .seconds(1)
        let isKept = if case .saved = outcome { true } else { false }
        training.kept.seconds += seconds
        training.kept.processorSeconds += max(0, processor)
        if stage.isCheckpoint {
            training.checkpointSeconds += seconds
            training.kept.checkpoints += isKept ? 1 : 0
        } else {
            training.kept.stages += isKept ? 1 : 0
        }
        trainings[command.shard] = training
    }

    /// With what the disk kept of the training, and the time that this took.
    package func completed(_ report: TrainingReport, by command: StorageCommand) -> TrainingReport {
        guard let training = trainings[command.shard], training.job == command.job, let made = report.keeping else {
            return report
        }
        var report = report
        report.keeping = training.kept
        report.keeping?.seconds += made.seconds
        report.keeping?.processorSeconds += made.processorSeconds
        return report
    }

    /// Of this thread, in seconds; 0 where the system does not say.
    static var threadSeconds: Double {
        var time = timespec()
        guard clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension StorageCommand {
    var keptStage: TrainingStage? {
        if case .keepStage(let stage, _, _) = access { stage } else { nil }
    }

    /// Whether it takes the place of what was found to lead nowhere.
    fileprivate var replacesDoubted: Bool {
        if case .keepStage(_, _, isDoubted: true) = access { true } else { false }
    }
}
