import Experiments
import Foundation
import LanguageModels
import Messages
import Synchronization
import Unlearning
import ZeroMQ

/// Runs jobs, one after the other, so that training never holds up a heartbeat.
final class ComputeThread: Sendable {
    private enum Command: Sendable {
        case run(Job)
        case quit
    }

    private static let quitting = JobID.max
    private let commands: Mailbox<Command>
    /// The job that should stop; ids are never used again.
    private let cancelled = Atomic<JobID>(0)
    private let report: @Sendable (WorkerReport) -> Void

    /// - Parameter makeExecutor: runs on the new thread; takes as long as loading a model takes.
    init(
        makeExecutor: @escaping @Sendable () throws -> any TaskExecutor,
        report: @escaping @Sendable (WorkerReport) -> Void
    ) throws(ZeroMQError) {
        commands = try Mailbox()
        self.report = report
        let thread = Thread { [self] in
            serve(makeExecutor)
            report(.ended)
        }
        thread.name = "compute"
        thread.stackSize = 8 << 20
        thread.start()
    }

    func run(_ job: Job) { commands.post(.run(job)) }

    func cancel(_ job: JobID) { cancelled.store(job, ordering: .relaxed) }

    /// Stops the running job at its next step and ends the thread.
    func quit() {
        cancelled.store(Self.quitting, ordering: .relaxed)
        commands.post(.quit)
    }

    private func serve(_ makeExecutor: () throws -> any TaskExecutor) {
        // Where there are too few processors, threads that keep connections alive come first. Threads that compute for this
        // one are made by it, and are like it.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 1)
        let executor: any TaskExecutor
        do {
            executor = try makeExecutor()
        } catch {
            report(.executorReady(.failure(TaskFailure(error))))
            return
        }
        report(.executorReady(.success(executor.description)))
        while true {
            for command in commands.take() {
                guard case .run(let job) = command else { return }
                report(.finished(job.id, outcome(of: job, executor)))
            }
        }
    }

    private func isCancelled(_ job: JobID) -> Bool {
        let value = cancelled.load(ordering: .relaxed)
        return value == job || value == Self.quitting
    }

    private func outcome(of job: Job, _ executor: any TaskExecutor) -> JobOutcome {
        guard !isCancelled(job.id) else { return .cancelled }
        defer { executor.rest() }
        do {
            return try perform(job, executor)
        } catch UnlearningError.cancelled {
            return .cancelled
        } catch {
            return .failed(TaskFailure(error))
        }
    }

    /// - Throws: of a training that comes to numbers that are none, what to do about it.
    private func outcome(
        of specification: TrainingSpecification, _ train: () throws -> TrainedAdapter
    ) throws -> JobOutcome {
        do {
            let trained = try train()
            try trained.adapter.checkFinite()
            return .trained(trained.report, adapter: trained.adapter.safetensorsBytes())
        } catch {
            if let failure = TaskFailure(error).diverging(at: specification.learningRate) { throw failure }
            throw error
        }
    }

    private func perform(_ job: Job, _ executor: any TaskExecutor) throws -> JobOutcome {
        let clock = ContinuousClock()
        let start = clock.now
        func seconds() -> Double { (clock.now - start) / .seconds(1) }
        switch job.computation {
        case .train(let specification, let prompts, let first):
            var pace = ProgressPace()
            let keep: (TrainingStage) -> Void = { [report] in report(.stage(job.id, $0)) }
            let answering = job.answering.map { stage in
                AnsweringStage(stage: stage) { [report] in report(.answers(job.id)) }
            }
            return try outcome(of: specification) {
                try executor.train(
                    prompts: prompts, specification: specification, from: first, through: nil, answering: answering,
                    keep: keep
                ) { progress in
                    if let message = pace.message(progress, seconds: seconds()) { report(.progress(job.id, message)) }
                } isCancelled: {
                    isCancelled(job.id)
                }
            }
        case .replayStage(let replay):
            var pace = ProgressPace()
            let first = try replay.before.map { try TrainingStage($0) }
            let keep: (TrainingStage) -> Void = { _ in }
            return try outcome(of: replay.specification) {
                try executor.train(
                    prompts: replay.prompts, specification: replay.specification, from: first, through: replay.slice,
                    answering: nil, keep: keep
                ) { progress in
                    if let message = pace.message(progress, seconds: seconds()) { report(.progress(job.id, message)) }
                } isCancelled: {
                    isCancelled(job.id)
                }
            }
        case .correct(let correction, let specification, let prompts, let preparation):
            var pace = ProgressPace()
            let corrected = try executor.correct(
                correction, specification: specification, retained: prompts, preparation: preparation
            ) { progress in
                if let message = pace.message(progress, seconds: seconds()) { report(.progress(job.id, message)) }
            } isCancelled: {
                isCancelled(job.id)
            }
            try corrected.adapter.checkFinite()
            return .trained(corrected.report, adapter: corrected.adapter.safetensorsBytes())
        case .prepare(_, let prompts, let bytes, let trial):
            var pace = ProgressPace()
            let adapter = try Adapter(safetensors: bytes, model: executor.description.model)
            let preparation = try executor.prepare(adapter: adapter, prompts: prompts, trial: trial) { progress in
                if let message = pace.message(progress, seconds: seconds()) { report(.progress(job.id, message)) }
            } isCancelled: {
                isCancelled(job.id)
            }
            return .prepared(preparation, seconds: seconds())
        case .score(let task, let bytes):
            let adapters = try bytes.map {
                try Adapter(safetensors: $0, model: executor.description.model)
            }
            guard adapters.allSatisfy({ $0.layout == adapters[0].layout }) else {
                throw TaskFailure(code: .adapterMismatch, message: "the adapters of a mixture differ in layout")
            }
            let result = try executor.score(
                prompts: task.prompts, adapters: adapters, rule: task.rule, weights: task.weights)
            return .scored(margins: result.margins, tokens: result.tokens, seconds: seconds())
        case .compare(let comparison):
            var pace = ProgressPace()
            let result = try executor.compare(comparison) { progress in
                if let message = pace.message(progress, seconds: seconds()) { report(.progress(job.id, message)) }
            } isCancelled: {
                isCancelled(job.id)
            }
            return .compared(result)
        case .embed(let source, let prompts):
            let result = try executor.embed(prompts: prompts, source: source)
            return .embedded(values: result.values, tokens: result.tokens, seconds: seconds())
        }
    }
}

/// Turns steps into messages: the first, the last, and in between a few a second.
package struct ProgressPace {
    private static let interval = 0.25
    private var last = -Double.infinity

    package init() {}

    package mutating func message(_ progress: TrainingProgress, seconds: Double) -> WorkerMessage.TaskProgress? {
        guard progress.step == progress.steps || seconds - last >= Self.interval else { return nil }
        last = seconds
        let rate = seconds > 0 ? Double(progress.tokens) / seconds : 0
        let remaining = rate > 0 ? Double(progress.totalTokens - progress.tokens) / rate : 0
        return WorkerMessage.TaskProgress(
            task: 0, step: progress.step, steps: progress.steps, loss: progress.loss, tokensPerSecond: rate,
            secondsRemaining: remaining)
    }

    /// A comparison counts rows; it has neither one loss nor one speed.
    package mutating func message(_ progress: ComparisonProgress, seconds: Double) -> WorkerMessage.TaskProgress? {
        guard seconds - last >= Self.interval else { return nil }
        last = seconds
        let left = progress.steps - progress.step
        return WorkerMessage.TaskProgress(
            task: 0, step: progress.step, steps: progress.steps, loss: 0, tokensPerSecond: 0,
            secondsRemaining: progress.step > 0 ? seconds / Double(progress.step) * Double(left) : 0)
    }
}
