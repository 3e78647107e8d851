import ClusterTestSupport
import Coordination
import Messages

extension ActionSentences {
    func sentence(_ command: LedgerCommand) -> String {
        switch command {
        case .forget(let request, let wanted):
            return "forget \(wanted.users.list), request \(request)"
                + (wanted.method.map { ", by \($0)" } ?? "") + (wanted.bridge.map { ", bridged by \($0)" } ?? "")
        case .requestTraining(let request): return "remember that training was asked for, request \(request)"
        case .saveEmbeddings(let digests, _): return "keep the embeddings of \(digests.list)"
        case .partition: return "deal the prompts to shards"
        case .publish(let shard, let report, _, let worker):
            let how = report.correction.map { "corrected by \($0.provenance.method.rawValue)" } ?? "trained"
            return "publish \(report.adapter) for shard \(shard), \(how) towards \(report.manifest) by worker \(worker)"
        case .abandonCorrection(let shard, let manifest, let reason):
            return "give up correcting shard \(shard) towards \(manifest): \(reason.rawValue)"
        case .saveMargins(let adapter, let digests, _): return "keep what \(adapter) scores \(digests.list)"
        case .tuneAttention: return "tune the attention"
        case .purge: return "remove the last traces of forgotten data from the files"
        case .dropDamaged(let adapter): return "take \(adapter) away if its file is damaged"
        case .withdrawStage(let shard, let adapter): return "take the stage \(adapter) of shard \(shard) away"
        case .finishForget(let request, let checks):
            return "close forget \(request) and sign its certificate; double checks: "
                + (checks.isEmpty ? "none" : checks.map(sentence).joined(separator: ", "))
        case .settleCopies(let settlement): return sentence(settlement)
        case .forgetCopy(let word, let settlement):
            return
                "\(sentence(settlement))\(settlement.removesWorker ? ", and is removed" : ""), request \(word.request)"
        case .noteWorkers(let records, let gone):
            return "note the workers \(records.map(\.name).list), without \(gone.list)"
        case .setDuty(let word, let record):
            return "worker \(record.name) is to \(record.duty.rawValue), request \(word.request)"
        case .quarantine(let dispute):
            return
                "quarantine \(dispute.published) of shard \(dispute.shard): worker \(dispute.workers.first ?? "?") trained "
                + "it, worker \(dispute.workers.last ?? "?") trained \(dispute.other)"
        }
    }

    private func sentence(_ check: DoubleCheck) -> String {
        let workers = check.workers.isEmpty ? "" : " on \(check.workers.list)"
        return "shard \(check.shard) \(check.adapter) \(check.outcome.rawValue)\(workers)"
    }

    private func sentence(_ settlement: CopySettlement) -> String {
        let who =
            switch settlement.reason {
            case .reported: "worker \(settlement.worker) says that it has"
            case .cleared: "another worker deleted what worker \(settlement.worker) left: it has"
            case .destroyed: "the disk of worker \(settlement.worker) was declared destroyed: it has"
            }
        var parts = settlement.shards.map { shard in
            shard.kept.isEmpty ? "nothing of shard \(shard.shard)" : "\(shard.kept.joined(separator: " or "))"
        }
        if settlement.isEverything { parts.append(parts.isEmpty ? "nothing" : "nothing else") }
        return "\(who) \(parts.list)"
    }
}
