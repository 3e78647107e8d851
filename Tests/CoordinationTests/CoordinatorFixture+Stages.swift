import ClusterTestSupport
import Coordination
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

    func isReleased(_ worker: String) -> Bool { messages(to: worker).contains(.release(shard: 0)) }
}

extension HandedStage {
    static func of(_ name: String) -> HandedStage { HandedStage(name: name, digest: "d", bytes: [1]) }
}
