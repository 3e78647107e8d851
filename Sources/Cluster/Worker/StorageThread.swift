import Foundation
import Unlearning
import ZeroMQ

/// Runs storage commands in order, so that a slow disk never holds up a heartbeat.
final class StorageThread: Sendable {
    private enum Command: Sendable {
        case run(StorageCommand)
        case quit
    }

    private let commands: Mailbox<Command>
    private let report: @Sendable (WorkerReport) -> Void

    init(
        directory: String, arithmetic: String, report: @escaping @Sendable (WorkerReport) -> Void
    ) throws(ZeroMQError) {
        commands = try Mailbox()
        self.report = report
        let thread = Thread { [self] in
            serve(directory: directory, arithmetic: arithmetic)
            report(.ended)
        }
        thread.name = "storage"
        thread.stackSize = 8 << 20
        thread.start()
    }

    func run(_ command: StorageCommand) { commands.post(.run(command)) }

    /// Ends the thread after the commands given so far.
    func quit() { commands.post(.quit) }

    private func serve(directory: String, arithmetic: String) {
        let store: ShardStore
        do throws(TaskFailure) {
            store = try ShardStore(directory: directory)
        } catch {
            report(.storeReady(.failure(error)))
            return
        }
        report(.storeReady(.success(store.holdings)))
        while true {
            for command in commands.take() {
                guard case .run(let command) = command else { return }
                // Before the update deletes it: it is of the prompts as they were.
                var preparation: InfluencePreparation?
                if case .update(_, _, _, let adapter?) = command.work {
                    preparation = store.preparation(shard: command.shard, adapter: adapter)
                }
                let outcome = outcome(of: command, store, arithmetic: arithmetic)
                report(
                    .storage(
                        StorageResult(
                            id: command.id, shard: command.shard, holding: store.holding(command.shard),
                            outcome: outcome, preparation: preparation)))
            }
        }
    }

    private func outcome(
        of command: StorageCommand, _ store: ShardStore, arithmetic: String
    ) -> StorageResult.Outcome {
        do throws(TaskFailure) {
            switch command.work {
            case .update(let manifest, let offered, let specification, _):
                switch try store.update(shard: command.shard, to: manifest, offered: offered) {
                case .missing(let digests): return .missing(digests)
                case .complete(let prompts):
                    let kept = store.training(
                        shard: command.shard, specification: specification, arithmetic: arithmetic)
                    return .complete(
                        prompts,
                        trained: kept.map { StorageResult.Trained(report: $0.report, adapter: $0.adapter) })
                }
            case .read(let manifest):
                guard let prompts = store.prompts(shard: command.shard, manifest: manifest) else {
                    throw TaskFailure(
                        code: "not-held", message: "the copy of shard \(command.shard) is another one")
                }
                return .complete(prompts, trained: nil)
            case .keep(let preparation, let manifest):
                try store.keep(preparation, shard: command.shard, manifest: manifest)
                return .saved
            case .save(let report, let adapter, let specification):
                try store.save(
                    shard: command.shard, adapter: adapter, report: report, specification: specification,
                    arithmetic: arithmetic)
                return .saved
            case .remove:
                try store.remove(shard: command.shard)
                return .removed
            }
        } catch {
            return .failed(error)
        }
    }
}
