import Coordination
import Messages

extension Simulation {
    var isAtRest: Bool {
        // What is mostly missing is asked for first: sentences about it cost more than all else.
        clients.allSatisfy(\.isEnded) && ledger.snapshot.pendingForgets.isEmpty
            && ledger.snapshot.shards.allSatisfy(\.isCurrent) && !waitsForShards && unrest.isEmpty
    }

    /// Whether prompts that are to be trained have no shard yet, though whoever asked for it was told that it failed.
    private var waitsForShards: Bool {
        ledger.snapshot.trainingRequested && ledger.snapshot.unassignedPrompts > 0
    }

    /// What is not yet as it must be in the end.
    var unrest: [String] {
        guard let coordinator else { return ["no coordinator"] }
        let waiting = clients.filter { !$0.isEnded }
        guard waiting.isEmpty else { return sentences(about: waiting, coordinator) }
        var found = ledger.snapshot.shards.filter { !$0.isCurrent }.map { "shard \($0.index) is not current" }
        if waitsForShards { found.append("prompts have no shard yet") }
        found += ledger.corrections.keys.sorted().map { "a correction of shard \($0) is still kept" }
        found += ledger.snapshot.pendingForgets.map { "\($0.id) is pending" }
        found += unrestOfDisks
        let living = Set(ledger.snapshot.shards.compactMap { $0.adapter?.name })
        for host in hosts where host.isUp {
            let old = host.worker.adapters.filter { !living.contains($0) && $0.hasPrefix("adapter") }
            if let name = old.min() { found.append("\(host.worker.id) has the old adapter \(name) in memory") }
        }
        if found.isEmpty {
            let status = coordinator.status(at: CoordinatorInstant(milliseconds: now))
            found += status.operations.filter { $0.state == .running }.map { "\($0.id) still runs: \($0.progress)" }
        }
        return found
    }

    private func sentences(about waiting: [Client], _ coordinator: Coordinator) -> [String] {
        let operations = coordinator.status(at: CoordinatorInstant(milliseconds: now)).operations
        return waiting.map { client in
            let progress = operations.first { $0.id == client.request }.map { ": \($0.state), \($0.progress)" }
            return "\(client.request) has not ended\(progress ?? "")"
        }
    }

    private var unrestOfDisks: [String] {
        var found: [String] = []
        var held: [Int: Int] = [:]
        for host in hosts {
            for (shard, copy) in host.worker.disk.sorted(by: { $0.key < $1.key }) {
                held[shard, default: 0] += 1
                if copy.manifest != ledger.names[shard] {
                    found.append("\(host.worker.id) holds an old copy of shard \(shard)")
                }
            }
        }
        for shard in ledger.snapshot.shards where held[shard.index] ?? 0 != (shard.prompts == 0 ? 0 : 1) {
            found.append("shard \(shard.index) is held by \(held[shard.index] ?? 0) workers")
        }
        return found
    }
}
