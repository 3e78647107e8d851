import Coordination
import Messages

/// What the invariants were checked against last. Each is a function of some parts of the cluster, and is checked again after
/// every event that changed one of these: to check it after the others would say the same.
struct SeenState {
    struct Host: Equatable {
        var disk = -1
        var copies = -1
        var keys = -1
        var acknowledged = -1
    }

    var hosts: [Host] = []
    var acknowledged = -1
    var forgotten = -1
    var keys = -1
    /// Those that the coordinator had, and how many interactions clients had been told are forgotten; nil: no coordinator.
    var shards: ChunkedList<LedgerSnapshot.Shard>?
    var acknowledgedOfAdapters = -1
}

extension Simulation {
    mutating func check() {
        checkAcknowledged()
        checkCopies()
        checkAdapters()
    }

    private mutating func checkAcknowledged() {
        guard
            seen.acknowledged != acknowledged.count || seen.forgotten != ledger.forgotten.count
                || seen.keys != ledger.keyRevision
        else { return }
        (seen.acknowledged, seen.forgotten, seen.keys) =
            (acknowledged.count, ledger.forgotten.count, ledger.keyRevision)
        if !acknowledged.isSubset(of: ledger.forgotten) { violations.append("an acknowledged forget was lost") }
        for interaction in acknowledged {
            if let key = ledger.keys.forgotten[interaction], ledger.keys.living.contains(key) {
                violations.append("the key of \(interaction) is still there")
            }
        }
    }

    /// What the coordinator answers with follows from the shards that it knows.
    private mutating func checkAdapters() {
        guard let coordinator else {
            seen.shards = nil
            return
        }
        guard seen.shards != coordinator.snapshot.shards || seen.acknowledgedOfAdapters != acknowledged.count else {
            return
        }
        (seen.shards, seen.acknowledgedOfAdapters) = (coordinator.snapshot.shards, acknowledged.count)
        let status = coordinator.status(at: CoordinatorInstant(milliseconds: now))
        for adapter in coordinator.activeAdapters {
            let isExact = status.shards.first { $0.shard == adapter.shard }?.exact
            if isExact != !adapter.name.hasPrefix("approximate") {
                violations.append("adapter \(adapter.name) is called what it is not")
            }
            guard let manifest = adapter.name.split(separator: "-").last.map(String.init),
                let contents = ledger.contents[manifest]
            else {
                violations.append("adapter \(adapter.name) answers and was trained on data that never was a shard's")
                continue
            }
            if contents.contains(where: acknowledged.contains) {
                violations.append("adapter \(adapter.name) answers and saw forgotten data")
            }
        }
    }

    /// What lies on workers' disks.
    private mutating func checkCopies() {
        while seen.hosts.count < hosts.count { seen.hosts.append(SeenState.Host()) }
        for index in hosts.indices {
            let state = SeenState.Host(
                disk: hosts[index].worker.diskRevision, copies: ledger.copyRevision, keys: ledger.keyRevision,
                acknowledged: acknowledged.count)
            let before = seen.hosts[index]
            guard before != state else { continue }
            seen.hosts[index] = state
            if before.disk != state.disk || before.copies != state.copies { checkRecord(of: hosts[index].worker) }
            if before.disk != state.disk || before.keys != state.keys || before.acknowledged != state.acknowledged {
                checkKeys(of: hosts[index].worker)
            }
        }
    }

    /// Whatever lies on a worker's disk is on record, whether the worker is here or not. Messages must come in order and
    /// once, as they do on a connection.
    private mutating func checkRecord(of worker: ModelWorker) {
        guard plan.lossy == 0 else { return }
        for (shard, copy) in worker.disk.sorted(by: { $0.key < $1.key }) {
            let recorded = ledger.copies.filter { $0.worker == worker.id && $0.shard == shard }
            let known = Set(recorded.flatMap { ledger.digests[$0.manifest] ?? [] })
            if let digest = copy.prompts.values.first(where: { !known.contains($0) }) {
                violations.append(
                    "\(worker.id) has prompt \(digest.prefix(8)) of shard \(shard) on its disk, off the record")
            }
        }
    }

    /// Once a request is acknowledged, no key is left that opens anything of what it names: neither a record, nor what lies
    /// on a worker's disk, here or away.
    private mutating func checkKeys(of worker: ModelWorker) {
        guard !acknowledged.isEmpty else { return }
        var found: [String] = []
        for (shard, copy) in worker.disk {
            for (digest, key) in copy.seals where ledger.keys.living.contains(key) {
                if ledger.uses[digest]?.contains(where: acknowledged.contains) == true {
                    found.append("\(worker.id) holds a prompt of shard \(shard) that still opens")
                }
            }
            for stage in copy.stages where stage.keys.isSubset(of: ledger.keys.living) {
                if stage.prompts.contains(where: { ledger.uses[$0]?.contains(where: acknowledged.contains) == true }) {
                    found.append("\(worker.id) holds stage \(stage.slice) of shard \(shard), which still opens")
                }
            }
        }
        violations += found.sorted()
    }
}
