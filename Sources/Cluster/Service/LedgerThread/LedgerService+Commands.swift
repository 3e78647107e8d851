import Coordination
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Unlearning

extension LedgerService {
    /// Commits what the coordinator's logic asked for.
    func perform(_ command: LedgerCommand, at time: Date) -> LedgerOutcome {
        do {
            _ = try commit(command, at: time)
        } catch {
            return .failed(ClientError(of: error))
        }
        return committed()
    }

    /// It is committed, whatever happens.
    func committed() -> LedgerOutcome {
        do {
            return .committed(try ledger.snapshot())
        } catch {
            return .failed(ClientError(code: .unread, message: ClientError(of: error).message))
        }
    }

    /// - Returns: what a forget request did; nil for everything else.
    func commit(_ command: LedgerCommand, at time: Date) throws -> ForgetOutcome? {
        switch command {
        case .forget(let id, let request): return try ledger.forget(requestID: id, request, at: time)
        case .requestTraining: try ledger.requestTraining(at: time)
        case .saveEmbeddings(let digests, let values): try ledger.store(embeddings: values, of: digests, at: time)
        case .partition: try ledger.partition(at: time)
        case .publish(let shard, let report, let bytes, let worker):
            try publish(shard: shard, report: report, bytes: bytes, by: worker, at: time)
            withheld.release(report.adapter, of: shard)
        case .abandonCorrection(let shard, let manifest, let reason):
            try ledger.abandonCorrection(shard: shard, manifest: manifest, reason: reason, at: time)
        case .saveMargins(let adapter, let digests, let margins):
            try ledger.store(margins: margins, of: digests, adapter: adapter, at: time)
        case .tuneAttention: try tuneAttention(at: time)
        case .purge: try ledger.purge()
        case .dropDamaged(let adapter): try ledger.dropIfDamaged(adapter: adapter, at: time)
        case .withdrawStage(let shard, let adapter):
            // No question is answered with it from here on, also where this cannot be written.
            withheld.withhold(adapter, of: shard)
            try ledger.withdrawStage(shard: shard, adapter: adapter, at: time)
            withheld.release(adapter, of: shard)
        case .finishForget(let request, let checks):
            _ = try ledger.finishForget(request: request, checks: checks, arithmetic: arithmetic, at: time)
        case .settleCopies(let settlement): try ledger.settleCopies(settlement, at: time)
        case .forgetCopy(let word, let settlement): try ledger.settleCopies(settlement, by: word, at: time)
        case .quarantine(let dispute): try ledger.quarantine(dispute, at: time)
        case .noteWorkers(let records, let gone): try ledger.noteWorkers(records, gone: gone, at: time)
        case .setDuty(let word, let record): try ledger.setDuty(record, by: word, at: time)
        }
        return nil
    }

    private func publish(
        shard: Int, report: TrainingReport, bytes: [UInt8], by worker: String, at time: Date
    ) throws {
        try ledger.publish(shard: shard, bytes: bytes, report: report, trainer: worker, at: time) { bytes in
            let adapter = try Adapter(safetensors: bytes, layout: layout)
            try adapter.checkFinite()
            return adapter.contentName
        }
    }

    /// τ and n on validation; equal weights where there is nothing to choose from.
    private func tuneAttention(at time: Date) throws {
        let reading = AttentionReading()
        while true {
            guard let parts = try ledger.goOn(with: reading, for: .seconds(60)) else { continue }
            let tuned = try TunedAttention(parts)
            return try ledger.store(tuning: tuned.parameters, chosenOn: tuned.table, at: time)
        }
    }
}
