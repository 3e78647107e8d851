import Foundation
import Logging
import Unlearning
import ZeroMQ

/// Runs storage commands in order, so that a slow disk never holds up a heartbeat.
final class StorageThread: Sendable {
    private enum Command: Sendable {
        case run(StorageCommand)
        /// Deletes what other workers left; the time is the loop's.
        case clearAbandoned(at: Double)
        /// The coordinator knows these.
        case told([ClearedNote])
        /// The shards are of this cluster from now on.
        case belong(cluster: String)
        case forgetKeys
        case deleteShards
        case quit
    }

    private let commands: Mailbox<Command>
    private let report: @Sendable (WorkerReport) -> Void

    init(
        directory: String, abandoned: AbandonedDirectories, executor: ExecutorDescription, logger: Logger,
        report: @escaping @Sendable (WorkerReport) -> Void
    ) throws(ZeroMQError) {
        commands = try Mailbox()
        self.report = report
        let thread = Thread { [self] in
            serve(directory: directory, abandoned: abandoned, executor: executor, logger: logger)
            report(.ended)
        }
        thread.name = "storage"
        thread.stackSize = 8 << 20
        thread.start()
    }

    func run(_ command: StorageCommand) { commands.post(.run(command)) }

    func clearAbandoned(at now: Double) { commands.post(.clearAbandoned(at: now)) }

    func told(_ notes: [ClearedNote]) { commands.post(.told(notes)) }

    func belong(to cluster: String) { commands.post(.belong(cluster: cluster)) }

    /// Forgets every key, and what is known only by one; the files stay.
    func forgetKeys() { commands.post(.forgetKeys) }

    /// Deletes the directory's shards after the commands given so far, and ends the thread.
    func deleteShards() { commands.post(.deleteShards) }

    /// Ends the thread after the commands given so far.
    func quit() { commands.post(.quit) }

    private func serve(
        directory: String, abandoned: AbandonedDirectories, executor: ExecutorDescription, logger: Logger
    ) {
        var abandoned = abandoned
        var writing = StageWriting()
        let store: ShardStore
        do throws(TaskFailure) {
            store = try ShardStore(directory: directory)
        } catch {
            report(.storeReady(.failure(error)))
            return
        }
        if store.deletedInClear > 0 {
            logger.warning(
                "deleted \(store.deletedInClear) shards that an earlier release kept in clear; they are sent again")
        }
        report(.storeReady(.success(store.copies)))
        while true {
            for command in commands.take() {
                do throws(TaskFailure) {
                    switch command {
                    case .run(let command):
                        let start = ContinuousClock.now
                        guard writing.hasTime(for: command, at: start) else {
                            report(.storage(result(of: command, .leftOut, store)))
                            continue
                        }
                        let before = StageWriting.threadSeconds
                        let result = run(command, store, executor, writing)
                        let end = ContinuousClock.now
                        writing.note(
                            command, result.outcome, from: start, to: end,
                            processor: StageWriting.threadSeconds - before)
                        note(command, result, took: end - start, logger)
                        report(.storage(result))
                    case .clearAbandoned(let now):
                        report(.cleared(abandoned.clear(at: now) { logger.info("\($0)") }))
                    case .told(let notes): try ClearedNotesFile.remove(notes, in: directory)
                    case .belong(let cluster): try belong(to: cluster, store, directory: directory)
                    case .forgetKeys: store.forgetKeys()
                    case .deleteShards:
                        report(
                            .deletedShards(
                                Result { () throws(TaskFailure) in
                                    try WorkerFiles.deleteShards(in: directory)
                                }))
                        return
                    case .quit: return
                    }
                } catch {
                    logger.warning("\(error.message)")
                }
            }
        }
    }

    /// What keeping a stage takes is measured by this line.
    private func note(_ command: StorageCommand, _ result: StorageResult, took: Duration, _ logger: Logger) {
        guard let stage = command.keptStage, case .saved = result.outcome else { return }
        let what = stage.isCheckpoint ? "a checkpoint in" : "the stage after"
        let milliseconds = Int((took / .milliseconds(1)).rounded())
        logger.debug("\(what) slice \(stage.slice) of shard \(command.shard) is kept, in \(milliseconds) ms")
    }

    private func result(
        of command: StorageCommand, _ outcome: StorageResult.Outcome, _ store: ShardStore
    ) -> StorageResult {
        StorageResult(id: command.id, shard: command.shard, copy: store.copy(command.shard), outcome: outcome)
    }

    private func run(
        _ command: StorageCommand, _ store: ShardStore, _ executor: ExecutorDescription, _ writing: StageWriting
    ) -> StorageResult {
        var command = command
        var saved: TrainingReport?
        if case .save(let report, let adapter) = command.access {
            let whole = writing.completed(store.completed(report, shard: command.shard), by: command)
            command.access = .save(whole, adapter: adapter)
            saved = whole
        }
        // Before the update deletes it: it is of the prompts as they were.
        var preparation: InfluencePreparation?
        if case .update(_, let keys, _, _, let adapter?, _) = command.access {
            preparation = store.preparation(shard: command.shard, adapter: adapter, keys: keys)
        }
        let outcome = outcome(of: command, store, executor)
        var stage: TrainingStage?
        var checkpoint: TrainingStage?
        if case .taken(let taken) = outcome { stage = taken }
        if case (.keepStage(let kept, _, _), .saved) = (command.access, outcome), !kept.isCheckpoint { stage = kept }
        if case .update(_, _, _, let specification, _, _) = command.access, case .complete(_, nil) = outcome {
            let training = StagedTraining(specification, executor)
            stage = store.stage(shard: command.shard, of: training)
            checkpoint = store.checkpoint(shard: command.shard, of: training).flatMap {
                $0.slice > stage?.slice ?? 0 ? $0 : nil
            }
        }
        var result = result(of: command, outcome, store)
        (result.preparation, result.stage, result.checkpoint) = (preparation, stage, checkpoint)
        if let stage, let training = store.trainings[command.shard] {
            result.stageData = store.stageData(shard: command.shard, slice: stage.slice, of: training)
        }
        if case (.update, .complete) = (command.access, outcome) {
            result.lacking = store.lacking(shard: command.shard)
        }
        // It is good even if it could not be kept.
        result.report = saved
        return result
    }

    /// Notes the cluster once nothing of another one is left.
    private func belong(to cluster: String, _ store: ShardStore, directory: String) throws(TaskFailure) {
        let noted = WorkerFiles.cluster(in: directory)
        guard noted != cluster else { return }
        guard noted == nil || store.copies.isEmpty else {
            throw TaskFailure(code: .storage, message: "shards of another cluster could not be deleted yet")
        }
        try KeptFile.write(Array(cluster.utf8), to: "\(directory)/\(WorkerFiles.cluster)")
    }

    private func outcome(
        of command: StorageCommand, _ store: ShardStore, _ executor: ExecutorDescription
    ) -> StorageResult.Outcome {
        do throws(TaskFailure) {
            switch command.access {
            case .update(let manifest, let keys, let offered, let specification, _, let isTrained):
                let training = StagedTraining(specification, executor)
                let update = try store.bring(
                    shard: command.shard, to: manifest, keys: keys, training: training, offered: offered)
                switch update {
                case .missing(let digests): return .missing(digests)
                case .complete(let prompts):
                    if isTrained { try store.deleteCheckpoints(command.shard) }
                    let kept = store.training(
                        shard: command.shard, specification: specification, arithmetic: executor.arithmetic)
                    return .complete(
                        prompts,
                        trained: kept.map { StorageResult.Trained(report: $0.report, adapter: $0.adapter) })
                }
            case .read(let manifest, let keys):
                guard let prompts = try store.prompts(shard: command.shard, manifest: manifest, keys: keys) else {
                    throw TaskFailure(
                        code: .notHeld, message: "the copy of shard \(command.shard) is another one")
                }
                return .complete(prompts, trained: nil)
            case .keep(let preparation, let manifest):
                try store.keep(preparation, shard: command.shard, manifest: manifest)
                return .saved
            case .save(let report, let adapter):
                try store.save(shard: command.shard, adapter: adapter, report: report, arithmetic: executor.arithmetic)
                return .saved
            case .keepStage(let stage, let specification, let isDoubted):
                try store.keep(
                    stage, shard: command.shard, of: StagedTraining(specification, executor), isDoubted: isDoubted)
                return .saved
            case .discard(let name):
                store.discard(name, shard: command.shard)
                return .saved
            case .discardAllBut(let names):
                try store.discardStages(command.shard, but: names)
                return .saved
            case .take(let handed): return .taken(try store.take(handed, shard: command.shard))
            case .hand(let manifest, let keys, let specification, let name):
                guard store.copy(command.shard) != nil else {
                    throw TaskFailure(code: .notHeld, message: "shard \(command.shard) is not held")
                }
                let training = StagedTraining(specification, executor)
                _ = try store.bring(shard: command.shard, to: manifest, keys: keys, training: training)
                guard let name else { return .handed(nil) }
                return .handed(try store.hand(name, shard: command.shard))
            case .remove:
                try store.remove(shard: command.shard)
                return .removed
            }
        } catch {
            return .failed(error)
        }
    }
}

extension StagedTraining {
    init(_ specification: TrainingSpecification, _ executor: ExecutorDescription) {
        self.init(specification: specification, arithmetic: executor.arithmetic, model: executor.model)
    }
}
