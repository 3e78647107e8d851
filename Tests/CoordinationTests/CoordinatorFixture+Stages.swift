import ClusterTestSupport
import Coordination
import Foundation
import Messages

extension CoordinatorFixture {
    /// An operator's order, which the ledger keeps at once.
    mutating func order(_ verb: WorkerOrder.Verb, _ worker: String) {
        ask(.order(WorkerOrder(worker: worker, verb: verb)), id: "order \(worker) \(verb)")
        for (id, command) in commands {
            if case .setDuty = command { feed(.ledger(id, .committed(coordinator.snapshot))) }
        }
    }

    /// What workers are asked to hand on of shard 0.
    var hands: [(worker: String, task: TaskID, name: String?)] {
        actions.compactMap { action in
            guard case .dispatch(let peer, .hand(let task, 0, _, _, let name, _)) = action else { return nil }
            return (String(decoding: peer.bytes, as: UTF8.self), task, name)
        }
    }

    /// Names of the stages of shard 0 that the worker is sent; "" ends them.
    func stagesSent(to worker: String) -> [String] {
        actions.compactMap { action in
            switch action {
            case .dispatch(peer(worker), .stage(_, 0, _, let stage)): stage.name
            case .dispatch(peer(worker), .noStage(_, 0)): ""
            default: nil
            }
        }
    }

    /// A cluster that trains in four slices.
    static func inSlices(
        _ snapshot: LedgerSnapshot, whileRetraining: ClusterConfiguration.WhileRetraining = .stage
    ) -> CoordinatorFixture {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return CoordinatorFixture(snapshot, training: training, whileRetraining: whileRetraining)
    }

    /// A worker says how far its task is, a step further each time, and all go on beating, for so many rounds of 25 seconds.
    ///
    /// - Parameter first: the first step.
    /// - Returns: the workers that were told to delete shard 0 meanwhile.
    mutating func goOn(
        _ rounds: Int, from first: Int = 1, with task: TaskID, by worker: String, beating names: [String]
    ) -> Set<String> {
        var released: Set<String> = []
        for step in first..<first + rounds {
            wait(25_000, beating: names)
            released.formUnion(names.filter { isReleased($0) })
            say(
                .progress(.init(task: task, step: step, steps: 999, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)),
                by: worker)
            released.formUnion(names.filter { isReleased($0) })
        }
        return released
    }

    func isReleased(_ worker: String) -> Bool { messages(to: worker).contains(.release(shard: 0)) }
}

extension ShardCopy {
    static func of(_ shard: Int, _ manifest: String, stages: [String]? = nil) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest, prompts: 10, adapter: nil, stages: stages)
    }
}

extension LedgerSnapshot {
    /// Somebody was forgotten from the shard under this request.
    func forgotten(from shard: Int, by request: String) -> LedgerSnapshot {
        var after = self
        after.shards[shard].manifest += "-after"
        after.shards[shard].adapter = nil
        after.shards[shard].quarantinedSince = Date(timeIntervalSince1970: 0)
        after.shards[shard].awaitsExact = true
        after.pendingForgets.append(
            PendingForget(id: request, received: Date(timeIntervalSince1970: 0), waitingFor: [shard]))
        return after
    }

    /// The shard has the adapter of its data.
    func trained(_ shard: Int, _ adapter: String, by worker: String) -> LedgerSnapshot {
        var after = self
        after.shards[shard].adapter = Adapter(
            name: adapter, manifest: after.shards[shard].manifest, missingMargins: 0, trainer: worker)
        (after.shards[shard].quarantinedSince, after.shards[shard].awaitsExact) = (nil, false)
        for place in after.pendingForgets.indices where after.pendingForgets[place].waitingFor == [shard] {
            (after.pendingForgets[place].waitingFor, after.pendingForgets[place].retrained) = ([], [shard])
        }
        return after
    }
}

extension HandedStage {
    static func of(_ name: String) -> HandedStage { HandedStage(name: name, digest: "d", bytes: [1]) }
}
