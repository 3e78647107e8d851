import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Unlearning

/// What the ledger does when it is told to.
extension TranscriptLedger {
    static func failure(_ code: ErrorCode, _ message: String) -> LedgerOutcome {
        .failed(ClientError(code: code, message: message))
    }

    mutating func perform(_ command: LedgerCommand) -> LedgerOutcome {
        notes = []
        if isDiskFull {
            return Self.failure(.diskFull, "the disk is full; nothing was changed")
        }
        let stale = Self.failure(.stale, "")
        switch command {
        case .forget(let id, let request):
            if let known = records.first(where: { $0.id == id }), known.users != request.users {
                return Self.failure(.requestConflict, "request \(id) was used before for another request")
            }
            guard let outcome = forget(id, request) else {
                return Self.failure(.unknownUser, "nothing was forgotten")
            }
            return .forgotten(outcome, snapshot)
        case .requestTraining: trainingRequested = true
        case .saveEmbeddings(let digests, _):
            let known = people.flatMap { $0.digests + [$0.validation] }
            embedded.formUnion(digests.filter(known.contains))
        case .partition:
            guard missing(.embeddings).isEmpty else { return stale }
            for index in people.indices { people[index].isAssigned = true }
            noteManifests()
        case .publish(let shard, let report, _, let worker):
            guard publish(report, of: shard, by: worker) else { return stale }
        case .abandonCorrection(let shard, let manifest, let reason):
            guard self.manifest(of: shard) == manifest, corrections.removeValue(forKey: shard) != nil else { break }
            fallbacks[shard] = reason
        case .saveMargins(let adapter, let digests, _):
            guard adapters.values.contains(where: { $0.name == adapter }) else { return stale }
            margins[adapter, default: []].formUnion(digests.filter(people.map(\.validation).contains))
        case .tuneAttention: tune()
        case .purge: break
        case .dropDamaged(let adapter): dropDamaged(adapter)
        case .withdrawStage: break
        case .settleCopies(let settlement): settle(settlement)
        case .forgetCopy(let word, let settlement):
            words.append(word)
            if settlement.removesWorker { fleet[settlement.worker] = nil }
            settle(settlement)
        case .noteWorkers(let records, let gone):
            for record in records { fleet[record.worker] = record }
            for worker in gone { fleet[worker] = nil }
        case .setDuty(let word, let record):
            words.append(word)
            fleet[record.worker] = record
        case .quarantine(let dispute):
            guard adapters[dispute.shard]?.name == dispute.published else { break }
            adapters[dispute.shard] = nil
            forgetTuning()
            quarantined.insert(dispute.shard)
            for position in records.indices
            where !records[position].isFinished && records[position].retrained.contains(dispute.shard) {
                records[position].waiting.insert(dispute.shard)
            }
        case .finishForget(let id, _):
            guard let position = records.firstIndex(where: { $0.id == id }), records[position].waiting.isEmpty else {
                return stale
            }
            records[position].isFinished = true
            let open = records[position].copies.filter { $0.state == "open" }.map(\.copy.text)
            notes.append(
                "the certificate of \(id) names as not confirmed gone: "
                    + (open.isEmpty ? "nothing" : open.joined(separator: ", ")))
            return .finished(snapshot)
        }
        return .committed(snapshot)
    }

    private mutating func publish(_ report: TrainingReport, of shard: Int, by worker: String) -> Bool {
        guard manifest(of: shard) == report.manifest else { return false }
        var adapter = LedgerSnapshot.Adapter(
            name: report.adapter, manifest: report.manifest, missingMargins: 0, trainer: worker)
        if let provenance = report.correction?.provenance {
            guard corrections[shard]?.original.name == provenance.original else { return false }
            adapter.corrected = LedgerSnapshot.Corrected(
                method: provenance.method, corrections: provenance.corrections, since: .distantPast)
        }
        corrections[shard] = nil
        fallbacks[shard] = nil
        damage[shard] = nil
        damagedFiles.remove(report.adapter)
        quarantined.remove(shard)
        adapters[shard] = adapter
        endWaiting(for: shard, exactly: adapter.corrected == nil)
        return true
    }

    private mutating func endWaiting(for shard: Int, exactly: Bool) {
        for position in records.indices where exactly || !records[position].isExact {
            records[position].waiting.remove(shard)
        }
    }

    private mutating func dropDamaged(_ name: String) {
        for (shard, adapter) in adapters.sorted(by: { $0.key < $1.key })
        where adapter.name == name && damagedFiles.contains(name) {
            damage[shard] = DamagedAdapter(
                shard: shard, adapter: name, lost: false, approximate: adapter.corrected != nil)
            adapters[shard] = nil
            quarantined.insert(shard)
        }
    }

    // MARK: forgetting

    /// nil: somebody whom the request names is not there.
    private mutating func forget(_ id: String, _ request: ClientRequest.ForgetRequest) -> ForgetOutcome? {
        if let known = records.first(where: { $0.id == id }) { return known.outcome }
        guard request.users.allSatisfy({ user in people.contains { $0.name == user } }) else { return nil }
        let before = (0..<shardCount).map(manifest)
        people.removeAll { request.users.contains($0.name) }
        forgetTuning()
        noteManifests()
        let touched = (0..<shardCount).filter { manifest(of: $0) != before[$0] }
        let correction = (request.bridge ?? request.method).flatMap(ApproximateMethod.init(rawValue:))
        var waiting: [Int] = []
        var dropped: [String] = []
        for shard in touched {
            if correction == nil { corrections[shard] = nil }
            if let old = adapters.removeValue(forKey: shard) {
                dropped.append(old.name)
                margins[old.name] = nil
                quarantined.insert(shard)
                if let correction, old.manifest == before[shard] { corrections[shard] = (correction, old) }
            }
            if members(of: shard).isEmpty {
                (corrections[shard], damage[shard]) = (nil, nil)
                quarantined.remove(shard)
                endWaiting(for: shard, exactly: true)
            } else if quarantined.contains(shard) {
                waiting.append(shard)
            }
        }
        let outcome = ForgetOutcome(
            request: id, received: .distantPast, counts: ForgetCounts(users: request.users.count), shards: touched,
            waitingFor: waiting, droppedAdapters: dropped, alreadyForgotten: 0,
            correcting: waiting.filter { corrections[$0] != nil })
        let method = request.method.flatMap(ForgetMethod.init(rawValue:)) ?? .apa
        records.append(
            Record(
                id: id, users: request.users, outcome: outcome, waiting: Set(waiting), retrained: waiting,
                method: method,
                bridge: request.bridge.flatMap(ApproximateMethod.init(rawValue:)),
                copies: copies.filter { touched.contains($0.shard) && $0.manifest != manifest(of: $0.shard) }.map {
                    Record.Copy(copy: $0)
                }))
        return outcome
    }

    // MARK: copies

    /// As `Ledger.settleCopies`: certificates that are signed already and name a copy get a supplement.
    private mutating func settle(_ settlement: CopySettlement) {
        let kept = settlement.shards.flatMap { shard in
            shard.kept.map {
                HandedCopy(worker: settlement.worker, name: settlement.name, shard: shard.shard, manifest: $0)
            }
        }
        let about = settlement.shards.map(\.shard)
        let own = copies.filter { $0.worker == settlement.worker }
        let gone = own.filter { copy in
            about.contains(copy.shard) ? !kept.contains(copy) : settlement.isEverything
        }
        let returned = kept.filter { !own.contains($0) }
        removeCopies(gone)
        for copy in returned { record(copy) }
        note(gone, as: settlement.reason.rawValue)
        note(returned, as: "open")
    }

    private mutating func note(_ changed: [HandedCopy], as state: String) {
        let meaning =
            switch CopySettlement.Reason(rawValue: state) {
            case .reported: "is gone, as the worker says"
            case .cleared: "is gone, as the worker says that deleted it"
            case .destroyed: "is gone, as an operator says"
            case nil: "is there again"
            }
        for position in records.indices {
            for index in records[position].copies.indices
            where changed.contains(records[position].copies[index].copy) {
                let old = records[position].copies[index]
                guard (old.state == "open") != (state == "open") else { continue }
                records[position].copies[index].state = state
                guard records[position].isFinished else { continue }
                notes.append("supplement to the certificate of \(records[position].id): \(old.copy.text) \(meaning)")
            }
        }
    }
}

extension UnconfirmedCopy {
    /// For transcripts.
    var text: String { "\(manifest) of shard \(shard) on worker \(worker)" }
}

extension HandedCopy {
    /// For transcripts.
    var text: String { UnconfirmedCopy(self, keyDestroyed: true).text }
}
