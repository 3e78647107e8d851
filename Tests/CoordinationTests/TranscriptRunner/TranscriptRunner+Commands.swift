import ClusterTestSupport
import Coordination
import Messages

extension TranscriptRunner {
    mutating func perform(_ command: TranscriptCommand) throws(TranscriptObjection) {
        switch command {
        case .shard(let shard, let newcomers): people.append((shard, newcomers))
        case .partitionWaits: partitionWaits = true
        case .doubleChecks(let share): doubleCheck = .share(share)
        case .start(let isTrained): try start(isTrained: isTrained)
        case .hello(let worker, let base, let copy): try hello(worker, base: base, copy: copy)
        case .needs(let worker, let task):
            let manifest = try manifest(of: task, given: worker)
            let people = ledger.people.filter { ledger.contents[manifest]?.people.contains($0.name) == true }
            try say(.need(task: task, digests: people.flatMap(\.digests)), by: worker)
        case .progress(let worker, let task, let step, let steps):
            let progress = WorkerMessage.TaskProgress(
                task: task, step: step, steps: steps, loss: 0.5, tokensPerSecond: 100,
                secondsRemaining: Double(steps - step))
            try say(.progress(progress), by: worker)
        case .reports(let worker, let task, let adapter): try report(task, by: worker, as: adapter)
        case .sendsAllTheSame(let worker, let task, let adapter): try send(adapter, for: task, by: worker)
        case .reportsFailure(let worker, let task, let code):
            guard given.removeValue(forKey: task)?.worker == worker else {
                throw TranscriptObjection("worker \(worker) has no task \(task)")
            }
            try say(.failed(task: task, code: ErrorCode(rawValue: code), message: "told to fail"), by: worker)
        case .everybodyWorks: try workOff()
        case .released(let worker, let shard): try say(.released(shard: shard), by: worker)
        case .cleared(let worker, let other):
            try say(.cleared(worker: other, secret: Self.secret(of: other)), by: worker)
        case .isAskedToEnd(let worker): try say(.leaving, by: worker)
        case .goodbye(let worker, let deleted):
            try say(.goodbye(deleted: deleted), by: worker)
            forgetConnection(of: worker)
        case .dies(let worker):
            guard peers[worker] != nil else { throw TranscriptObjection("worker \(worker) is not there") }
            forgetConnection(of: worker)
        case .disconnects(let worker):
            guard let peer = peers[worker] else { throw TranscriptObjection("worker \(worker) is not there") }
            forgetConnection(of: worker)
            try feed(.unreachable(peer: peer))
        case .train(let id): try ask(.train, id)
        case .forget(let id, let users, let method, let bridge):
            asked[id] = users
            try ask(.forget(.init(users: users, interactions: [], method: method, bridge: bridge)), id)
        case .evaluate(let id): try ask(.evaluate(.init(split: .test, compare: false)), id)
        case .verify(let id, let request): try ask(.verify(.init(request: request)), id)
        case .status(let id): try ask(.status, id)
        case .operation(let id): try ask(.operation(id: id), id)
        case .declareDestroyed(let id, let worker): try ask(.forgetCopy(.init(worker: worker, shard: nil)), id)
        case .order(let id, let order): try ask(.order(order), id)
        case .ledgerWaits(let waits): try setWaiting(waits)
        case .ledgerCommits(let isHeard): try commitOldest(isHeard: isHeard)
        case .diskIsFull(let isFull): ledger.isDiskFull = isFull
        case .importPrompts(let shard, let newcomers):
            ledger.add(newcomers, to: shard)
            try feed(.ledgerChanged(ledger.snapshot))
        case .damaged(let adapter):
            ledger.damagedFiles.insert(adapter)
            try feed(.adapterDamaged(adapter))
        case .restart: try startCoordinator()
        case .wait(let span): try wait(span)
        }
    }

    private mutating func ask(_ request: ClientRequest, _ id: String) throws(TranscriptObjection) {
        try feed(.client(ClientTicket(peer: PeerID(Array("client".utf8)), request: id), request))
    }

    // MARK: time

    /// Ticks four times a second; whoever is there sends heartbeats.
    private mutating func wait(_ span: Int64) throws(TranscriptObjection) {
        let begin = milliseconds
        while milliseconds < begin + span {
            milliseconds += 250
            let before = lines
            lines = []
            for worker in peers.keys.sorted() { try say(.heartbeat, by: worker) }
            try feed(.tick)
            if !lines.isEmpty {
                let seconds = Double(milliseconds - begin) / 1000
                lines.insert("after \(seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)") s:", at: 0)
            }
            lines = before + lines
        }
    }

    // MARK: the ledger

    private mutating func setWaiting(_ waits: Bool) throws(TranscriptObjection) {
        if waits {
            waiting = waiting ?? []
        } else {
            while waiting?.isEmpty == false { try commitOldest(isHeard: true) }
            waiting = nil
        }
    }

    private mutating func commitOldest(isHeard: Bool) throws(TranscriptObjection) {
        guard var left = waiting, !left.isEmpty else { throw TranscriptObjection("nothing waits for the ledger") }
        let (id, command) = left.removeFirst()
        waiting = left
        let outcome = commit(command)
        if isHeard { try feed(.ledger(id, outcome)) }
    }
}
