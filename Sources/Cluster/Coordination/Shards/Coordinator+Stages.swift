import Messages

/// What answers for a shard that a forget request touched, until it is trained again.
extension Coordinator {
    /// A worker is about to train a shard from a stage that never saw what was forgotten: until it is done, the stage answers.
    mutating func staged(_ id: TaskID, _ report: TrainingReport, adapter: [UInt8], by worker: KnownWorker) {
        guard settings.configuration.whileRetraining == .stage, let task = task(id, of: worker),
            case .train(let index, let manifest) = task.kind, let shard = shard(index), shard.manifest == manifest,
            report.isStage, report.isExact, report.specification == settings.configuration.training,
            report.manifest != manifest, shard.adapter == nil, shard.correction == nil,
            pendingForgets.waitingFor.contains(index),
            !writes.isPublishing(shard: index, manifest: report.manifest)
        else { return }
        write(.publish(shard: index, report: report, adapter: adapter, worker: worker.id))
    }
}
