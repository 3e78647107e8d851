import Foundation
import LanguageModels
import Recommendation
import Unlearning

extension LedgerService {
    /// Commits what the coordinator's logic asked for.
    func perform(_ command: LedgerCommand, at time: Date) -> LedgerOutcome {
        defer { invalidate() }
        do {
            switch command {
            case .forget(let id, let request):
                let outcome = try ledger.forget(requestID: id, request, at: time)
                return .forgotten(outcome, try ledger.snapshot())
            case .requestTraining:
                try ledger.requestTraining(at: time)
            case .saveEmbeddings(let digests, let values):
                try ledger.store(embeddings: values, of: digests, at: time)
                return .committed(try ledger.snapshot())
            case .partition:
                try ledger.partition(at: time)
            case .publish(let shard, let report, let bytes, _):
                try publish(shard: shard, report: report, bytes: bytes, at: time)
            case .abandonCorrection(let shard, let manifest, let reason):
                try ledger.abandonCorrection(shard: shard, manifest: manifest, reason: reason, at: time)
            case .saveMargins(let adapter, let digests, let margins):
                try ledger.store(margins: margins, of: digests, adapter: adapter, at: time)
                return .committed(try ledger.snapshot())
            case .tuneAttention:
                try tuneAttention(at: time)
            case .purge:
                try ledger.purge()
            case .finishForget(let request):
                let certificate = try ledger.finish(request: request, at: time)
                return .finished(certificate, try ledger.snapshot())
            }
            return .committed(try ledger.snapshot())
        } catch {
            return .failed(Self.clientError(error))
        }
    }

    private func publish(
        shard: Int, report: WorkerMessage.TrainedReport, bytes: [UInt8], at time: Date
    ) throws {
        let recorded = AdapterReport(
            specification: ledger.configuration.training,
            method: report.approximation.map { .init($0.provenance.method) } ?? .apa,
            steps: report.steps, tokens: report.tokens,
            seconds: report.seconds, computeSeconds: report.computeSeconds, epochLosses: report.epochLosses,
            approximation: report.approximation)
        try ledger.publish(shard: shard, manifest: report.manifest, bytes: bytes, report: recorded, at: time) { bytes in
            let adapter = try Adapter(safetensors: bytes, layout: layout)
            try adapter.checkFinite()
            return adapter.contentName
        }
    }

    /// τ and n on validation; equal weights where there is nothing to choose from.
    private func tuneAttention(at time: Date) throws {
        let table = try ledger.attentionTable()
        var parameters = SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 20)
        if table.rows.count > 1, !table.ids.isEmpty {
            parameters = try SampleAdaptiveAttention.tune(
                ids: table.ids, embeddings: table.embeddings, dimension: table.dimension,
                margins: table.rows.map(\.margins), labels: table.labels
            ).best
        }
        try ledger.store(tuning: parameters, chosenOn: table, at: time)
    }
}
