import Messages
import Recommendation
import Testing
import Unlearning
import Worker

/// A toy training in slices, and what it leaves.
package struct TrainedSlices: Sendable {
    package let prompts: [TrainingPrompt]
    package let training: StagedTraining
    /// After each slice but the last.
    package let stages: [TrainingStage]

    package var specification: TrainingSpecification { training.specification }

    /// Why the training came to no end; nil: it did.
    package let failure: TaskFailure?

    package init(prompts: Int = 12, slices: Int = 3) throws {
        self.init(Toy.specification(), prompts: prompts, slices: slices)
        try #require(failure == nil && stages.count == slices - 1)
    }

    /// A training whose numbers grow without bound: they are none in its last slice.
    package static func diverging() throws -> TrainedSlices {
        let tried = [100, 50, 20, 10, 5, 2, 1, 0.5].lazy.map { rate in
            var specification = Toy.specification()
            (specification.learningRate, specification.weightDecay) = (rate, 100)
            return TrainedSlices(specification, prompts: 24, slices: 3)
        }
        return try #require(tried.first { $0.failure?.code == .notFinite && $0.stages.count == 2 })
    }

    private init(_ specification: TrainingSpecification, prompts count: Int, slices: Int) {
        var specification = specification
        specification.slices = slices
        prompts = Toy.prompts(0..<count)
        training = Toy.staged(specification)
        var kept: [TrainingStage] = []
        do {
            _ = try Self.train(training, prompts, from: nil, nil) { kept.append($0) }
            failure = nil
        } catch {
            failure = TaskFailure(error)
        }
        stages = kept
    }

    /// A training of the same slices.
    ///
    /// - Parameter prompts: nil: its own.
    @discardableResult
    package func train(
        from first: TrainingStage? = nil, on prompts: [TrainingPrompt]? = nil, checkpointInterval: Duration? = nil,
        keep: @escaping (TrainingStage) -> Void = { _ in }
    ) throws -> TrainedAdapter {
        try Self.train(training, prompts ?? self.prompts, from: first, checkpointInterval, keep)
    }

    /// Everything that it keeps, with a checkpoint after every step.
    package func withCheckpoints() throws -> [TrainingStage] { try Self.kept(training, prompts, .zero) }

    /// The stages of a training on other prompts, or from one of the stages on.
    package func stages(
        on prompts: [TrainingPrompt]? = nil, from first: TrainingStage? = nil
    ) throws -> [TrainingStage] {
        try Self.kept(training, prompts ?? self.prompts, from: first)
    }

    package func slice(of prompt: TrainingPrompt) throws -> Int {
        try SliceDealing(specification).slice(of: prompt)
    }

    private static func kept(
        _ training: StagedTraining, _ prompts: [TrainingPrompt], from first: TrainingStage? = nil,
        _ interval: Duration? = nil
    ) throws -> [TrainingStage] {
        var kept: [TrainingStage] = []
        _ = try train(training, prompts, from: first, interval) { kept.append($0) }
        return kept
    }

    private static func train(
        _ training: StagedTraining, _ prompts: [TrainingPrompt], from first: TrainingStage?, _ interval: Duration?,
        _ keep: @escaping (TrainingStage) -> Void
    ) throws -> TrainedAdapter {
        try Toy.executor(checkpointInterval: interval).train(
            prompts: prompts, specification: training.specification, from: first, keep: keep, progress: { _ in },
            isCancelled: { false })
    }
}

// MARK: - A worker's logic

extension TrainedSlices {
    /// - Parameter isAwaited: whether a forget request waits for the shard.
    package func assignment(
        task: TaskID = 1, adapter: String? = nil, isAwaited: Bool = false
    ) -> CoordinatorMessage.Assignment {
        CoordinatorMessage.Assignment(
            task: task, shard: 0, specification: specification, manifest: Toy.manifest(prompts),
            keys: Toy.keys(prompts), adapter: adapter, isAwaited: isAwaited)
    }

    /// A worker that was assigned shard 0, and what it wants of its disk.
    package func assigned(adapter: String? = nil) throws -> (driver: WorkerLogicDriver, update: StorageCommand) {
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(.assign(assignment(adapter: adapter))).commands.first)
        return (driver, update)
    }

    /// What the disk says: it has the prompts and the first so many stages.
    ///
    /// - Parameter isLacking: whether the others are said to be lacking.
    package func found(
        _ count: Int, by update: StorageCommand, checkpoint: TrainingStage? = nil, isLacking: Bool = true
    ) -> WorkerLogic.Event {
        var result = StorageResult(id: update.id, shard: 0, copy: nil, outcome: .complete(prompts, trained: nil))
        result.stage = count > 0 ? stages[count - 1] : nil
        result.stageData = StageData(manifest: "manifest of the slices", prompts: 5)
        result.checkpoint = checkpoint
        if isLacking { result.lacking = lacking(after: count) }
        return .storage(result)
    }

    /// Last slice first.
    package func lacking(after count: Int = 0) -> [StageReport] {
        stages[count...].reversed().map { StageReport(slice: $0.slice, name: $0.name) }
    }

    package var report: TrainingReport {
        TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: prompts.count,
            specification: specification, steps: 2, tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
    }
}

extension TrainingStage {
    package func handedOn() throws -> HandedStage {
        let report = try report()
        return HandedStage(name: name, digest: report.digest ?? "", bytes: try bytes())
    }
}

/// Slices of the stages that a coordinator is offered.
extension [WorkerMessage] {
    package var offeredSlices: [Int] {
        compactMap { if case .staged(_, let report, _) = $0 { report.slices?.stage } else { nil } }
    }
}
