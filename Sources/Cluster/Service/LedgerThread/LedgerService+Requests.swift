import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation
import Serving

/// Requests that the ledger answers without the coordinator's logic.
extension LedgerService {
    /// A forget request as clients see it, as the ledger has it now.
    func forgetReply(request id: String) throws -> ForgetReply {
        guard let record = try ledger.forgetRequest(id) else { throw LedgerError.unknownRequest(id: id) }
        guard let certificate = record.certificate else { return ForgetReply(outcome: record.outcome) }
        let retrained = try ledger.adapters().filter { record.outcome.waitingFor.contains($0.shard) }
        return ForgetReply(
            outcome: record.outcome, certificate: certificate,
            unconfirmed: try ledger.unconfirmedCopies(request: id),
            retrained: try retrained.map(AdaptersReply.Adapter.init), supplements: try ledger.supplements(request: id))
    }

    /// What replays found, with the evidence that the ledger has.
    func verifyReply(_ report: VerificationReport, operation: String) throws -> VerifyReply {
        let damaged = try damaged(report, operation: operation)
        let audit = try auditVerdict(of: operation)
        let record = try report.request.flatMap { try ledger.forgetRequest($0) }
        let findings = try record.map { try ledger.evidenceFindings(of: $0) } ?? []
        return VerifyReply(
            report: report, audit: audit, hasCertificate: record?.certificate != nil, findings: findings,
            damaged: damaged)
    }

    /// Reads the file of every adapter that the verification is about, once for each operation: a damaged one is taken away
    /// right afterwards, and must not look like a good one to a client that asks again.
    private func damaged(_ report: VerificationReport, operation: String) throws -> [DamagedAdapter] {
        if let known = verifiedFiles[operation] { return known }
        let subjects =
            report.shards.map { ($0.shard, $0.published, false) }
            + report.approximate.map { ($0.shard, $0.published, true) }
        var damaged: [DamagedAdapter] = []
        for (shard, name, approximate) in subjects {
            do {
                _ = try ledger.adapterBytes(name: name)
            } catch LedgerError.adapterDamaged {
                damaged.append(DamagedAdapter(shard: shard, adapter: name, lost: false, approximate: approximate))
            } catch LedgerError.adapterLost {
                damaged.append(DamagedAdapter(shard: shard, adapter: name, lost: true, approximate: approximate))
            } catch LedgerError.unknownAdapter {
                // Replaced since by an import or a forget request.
                continue
            }
        }
        remember(damaged, of: operation)
        return damaged
    }

    /// Collects what a query needs.
    func job(for request: ClientRequest.QueryRequest) throws -> QueryJob {
        guard let configuration = try ledger.promptConfiguration() else {
            throw ClientError(code: .noData, message: "nothing was imported yet")
        }
        guard try ledger.hasUser(request.user) else {
            throw ClientError(code: .unknownUser, message: "no user \(request.user)")
        }
        let history = try ledger.history(user: request.user)
        let catalogue = try ledger.items()
        var titles: [String: String] = [:]
        for item in catalogue { titles[item.id] = item.title }
        let items: [Item]
        if request.top == nil {
            let asked = request.items.map(\.normalised)
            let unknown = request.items.filter { titles[$0.normalised] == nil }
            guard unknown.isEmpty else {
                throw ClientError(code: .unknownItem, message: "no item \(unknown.joined(separator: ", "))")
            }
            items = asked.map { Item(id: $0, title: titles[$0] ?? "") }
        } else {
            let rated = Set(history.map(\.item))
            items = catalogue.filter { !rated.contains($0.id) }
        }
        guard !items.isEmpty, request.top.map({ $0 > 0 }) ?? true else {
            throw ClientError(code: .invalidRequest, message: "there is nothing to ask about")
        }
        let builder = try PromptBuilder(configuration: configuration)
        let attention = try preparedAttention()
        let present = Set(attention.members.map(\.shard))
        return QueryJob(
            request: request, items: items,
            prompts: try items.map { item in
                try builder.queryPrompt(
                    user: history.first?.user ?? request.user, interactions: history, item: item.id,
                    titles: { titles[$0] }
                ).prompt
            },
            attention: attention,
            absentShards: try ledger.snapshot().shards.filter { $0.prompts > 0 && !present.contains($0.index) }
                .map(\.index),
            adapterDirectory: ledger.directory.appendingPathComponent("adapters").path,
            adapterKeys: try ledger.adapterKeys(), layout: layout,
            rule: ledger.configuration.rule, embedding: ledger.configuration.embedding,
            whenNoAdapter: ledger.configuration.whenNoAdapter)
    }
}
