import Coordination
import Foundation
import Ledger
import Messages
import Serving
import Unlearning

/// The error table has a row for every adapter and a column for every reference prompt: it is read in portions, whatever waits for
/// the ledger goes in between, and what is computed of it is computed on other threads.
extension LedgerService {
    /// Begins again after forget requests that came in between, so often; then nothing comes in between any more.
    private static let tuningAttempts = 4

    /// - `done`: called with the table as it is then, and the attention's parameters.
    func withAttentionParts(
        _ parameters: SampleAdaptiveAttention.Parameters?,
        _ done: @escaping (LedgerService, Result<AttentionMaterial, ClientError>) -> Void
    ) {
        let reading = AttentionReading()
        goOnReading {
            try $0.ledger.goOn(with: reading)
        } then: { service, parts in
            done(service, parts.flatMap { parts in service.result { try service.material(of: parts, parameters) } })
        }
    }

    private func material(
        of parts: AttentionParts, _ parameters: SampleAdaptiveAttention.Parameters?
    ) throws -> AttentionMaterial {
        let stages = Dictionary(
            try ledger.snapshot().shards.compactMap { shard in shard.adapter?.stage.map { (shard.index, $0) } },
            uniquingKeysWith: { first, _ in first })
        return AttentionMaterial(
            parts: parts, parameters: try parameters ?? ledger.tuning()?.parameters,
            members: parts.adapters.compactMap { adapter in
                guard !withheld.contain(adapter.name, stage: stages[adapter.shard], of: adapter.shard) else {
                    return nil
                }
                // How they were trained does not weigh.
                return QuestionMaterial.Member(shard: adapter.shard, name: adapter.name, exact: true)
            })
    }

    // MARK: tuning

    /// τ and n on validation; equal weights where there is nothing to choose from.
    ///
    /// - `write`: is told once they are chosen.
    func tune(_ write: LedgerWrite, attempt: Int = 1) {
        let reading = AttentionReading()
        goOnReading {
            try $0.ledger.goOn(with: reading)
        } then: { service, parts in
            guard let later = service.later, case .success(let parts) = parts else {
                return service.endTuning(write, parts.map { _ in service.perform(.tuneAttention, at: Date()) })
            }
            let thread = Thread {
                let tuned = Result { try TunedAttention(parts) }.mapError { ClientError(of: $0) }
                later(.call { $0.take(tuned, for: write, attempt: attempt) })
            }
            thread.name = "tuning"
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    /// What was chosen of prompts or adapters that are gone is not kept.
    private func take(_ tuned: Result<TunedAttention, ClientError>, for write: LedgerWrite, attempt: Int) {
        let found = tuned.flatMap { tuned in result { (tuned, isCurrent: try ledger.isCurrent(tuned.table)) } }
        switch found {
        case .failure(let error): endTuning(write, .failure(error))
        case .success((let tuned, isCurrent: true)):
            endTuning(
                write,
                result {
                    try ledger.store(tuning: tuned.parameters, chosenOn: tuned.table, at: Date())
                    return committed()
                })
        case .success where attempt < Self.tuningAttempts: tune(write, attempt: attempt + 1)
        case .success: endTuning(write, .success(perform(.tuneAttention, at: Date())))
        }
    }

    private func endTuning(_ write: LedgerWrite, _ outcome: Result<LedgerOutcome, ClientError>) {
        publishFacts()
        switch outcome {
        case .success(let outcome): write.done(self, outcome)
        case .failure(let error): write.done(self, .failed(error))
        }
    }
}

/// The error table as it was read, and who is weighed by it.
struct AttentionMaterial: Sendable {
    var parts: AttentionParts
    /// nil: nothing was tuned.
    var parameters: SampleAdaptiveAttention.Parameters?
    var members: [QuestionMaterial.Member]
}

/// τ and n, and what they were chosen on.
struct TunedAttention: Sendable {
    var parameters = SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 20)
    var table: AttentionTable

    init(_ parts: AttentionParts) throws {
        table = try parts.table()
        guard table.rows.count > 1, !table.ids.isEmpty else { return }
        parameters = try SampleAdaptiveAttention.tune(
            ids: table.ids, embeddings: table.embeddings, dimension: table.dimension,
            margins: table.rows.map(\.margins), labels: table.labels
        ).best
    }
}
