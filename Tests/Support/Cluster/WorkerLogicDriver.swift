import Messages
import Worker

/// A worker state with its storage and compute thread played by the test.
package struct WorkerLogicDriver {
    package var state: WorkerLogic
    /// In the order in which they were wanted.
    package var actions: [WorkerLogic.Action] = []

    package init(copies: [ShardCopy] = []) {
        state = WorkerLogic(executor: Toy.executor().description, copies: copies)
        handle(.connected(goingOnWith: []))
    }

    @discardableResult
    package mutating func handle(_ event: WorkerLogic.Event) -> [WorkerLogic.Action] {
        let new = state.handle(event)
        actions += new
        return new
    }

    @discardableResult
    package mutating func say(_ message: CoordinatorMessage) -> [WorkerLogic.Action] { handle(.message(message)) }

    @discardableResult
    package mutating func store(
        _ command: StorageCommand, _ outcome: StorageResult.Outcome, copy: ShardCopy? = nil
    )
        -> [WorkerLogic.Action]
    {
        handle(.storage(StorageResult(id: command.id, shard: command.shard, copy: copy, outcome: outcome)))
    }
}

extension [WorkerLogic.Action] {
    package var sent: [WorkerMessage] { compactMap { if case .send(let message) = $0 { message } else { nil } } }
    package var jobs: [Job] { compactMap { if case .start(let job) = $0 { job } else { nil } } }
    package var commands: [StorageCommand] {
        compactMap { if case .storage(let command) = $0 { command } else { nil } }
    }
    package var cancelled: [JobID] { compactMap { if case .cancel(let job) = $0 { job } else { nil } } }
}
