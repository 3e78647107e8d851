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
        guard let evidence = try ledger.evidence(ofForget: id) else { throw LedgerError.unknownRequest(id: id) }
        return try ForgetReply(evidence)
    }

    /// What replays found, with the evidence that the ledger has.
    func verifyReply(_ report: VerificationReport, operation: String, audit: AuditVerdict) throws -> VerifyReply {
        let damaged = try damaged(report, operation: operation)
        let record = try report.request.flatMap { try ledger.forgetRequest($0) }
        let findings = try record.map { try ledger.evidenceFindings(of: $0) } ?? []
        return VerifyReply(
            report: report, audit: audit, hasCertificate: record?.certificate != nil, findings: findings,
            damaged: damaged)
    }

    /// Reads the file of every adapter that the verification is about, once for each operation: a damaged one is taken away
    /// right afterwards, and must not look like a good one to a client that asks again.
    func damaged(_ report: VerificationReport, operation: String) throws -> [DamagedAdapter] {
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
}
