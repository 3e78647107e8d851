import GRDB
import Messages

/// A forget request with what there is to show of it, as of one moment.
package struct ForgetEvidence: Sendable {
    package var record: ForgetRecord
    /// Copies that are not confirmed gone.
    package var unconfirmed: [UnconfirmedCopy] = []
    /// Oldest first.
    package var supplements: [Supplement] = []
    /// Of the shards that it touched, by shard.
    package var adapters: [AdapterRecord] = []

    /// nil: no such request. What only a finished request has is empty while it is pending.
    static func of(request id: String, _ db: Database, at path: String) throws -> ForgetEvidence? {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM forget_requests WHERE id = ?", arguments: [id])
        else { return nil }
        var evidence = ForgetEvidence(record: try ForgetRecord(row: row))
        guard evidence.record.certificate != nil else { return evidence }
        let shards = evidence.record.outcome.waitingFor
        evidence.unconfirmed = try UnconfirmedCopy.all(
            ofRequest: row.value("number", in: "forget_requests"), db)
        evidence.supplements = try Supplement.all(ofRequest: id, db, at: path)
        evidence.adapters = try AdapterRecord.all(db).filter { shards.contains($0.shard) }
        return evidence
    }
}

extension Ledger {
    /// nil: no such request.
    package func evidence(ofForget id: String) throws -> ForgetEvidence? {
        try read { try ForgetEvidence.of(request: id, $0, at: database.path) }
    }
}
