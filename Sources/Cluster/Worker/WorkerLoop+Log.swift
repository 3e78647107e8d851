import Logging
import Messages

/// Starts, ends and failures of what the worker computes, for the log: short work at `debug`, trainings and the like at `info`.
extension WorkerLoop {
    func logBeginning(of job: Job) {
        logger.log(level: job.computation.level, "begins: \(job.computation.title)", metadata: ["job": "\(job.id)"])
    }

    func logEnd(of job: JobID, _ outcome: JobOutcome) {
        let (level, text) = outcome.line
        logger.log(level: level, "\(text)", metadata: ["job": "\(job)"])
    }
}

extension Job.Computation {
    fileprivate var level: Logger.Level {
        switch self {
        case .train, .replayStage, .correct, .prepare, .compare: .info
        case .score, .embed: .debug
        }
    }

    fileprivate var title: String {
        switch self {
        case .train(_, let prompts, let stage):
            "training on \(prompts.count) prompts" + (stage.map { " from slice \($0.slice + 1) on" } ?? "")
        case .replayStage(let replay): "training slice \(replay.slice) again, on \(replay.prompts.count) prompts"
        case .correct(_, _, let prompts, _): "correcting towards \(prompts.count) prompts"
        case .prepare(let shard, _, _, _): "preparing shard \(shard)"
        case .score(let task, _): "scoring \(task.prompts.count) prompts"
        case .embed(_, let prompts): "embedding \(prompts.count) prompts"
        case .compare: "comparing methods on one case"
        }
    }
}

extension JobOutcome {
    fileprivate var line: (Logger.Level, String) {
        switch self {
        case .trained(let report, _):
            (
                .info,
                "ended: adapter \(report.adapter.prefix(16)), \(report.steps) steps, \(Self.text(report.seconds)) s"
            )
        case .prepared(_, let seconds): (.info, "ended: a preparation, \(Self.text(seconds)) s")
        case .compared: (.info, "ended: a case of a comparison")
        case .scored(_, let tokens, let seconds), .embedded(_, let tokens, let seconds):
            (.debug, "ended: \(tokens) tokens, \(Self.text(seconds)) s")
        case .cancelled: (.info, "stopped")
        case .failed(let failure): (.info, "failed: \(failure.code): \(failure.message)")
        }
    }

    private static func text(_ seconds: Double) -> String { "\((seconds * 100).rounded() / 100)" }
}
