import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// Corrections that are to be made: from the acknowledgement of a forget request by an approximate method (or with a
/// bridge) until the result is published, it fails for good, or something exact supersedes it.
///
/// For that time, and for nothing else, a remnant of the forgotten data exists: the old versions of the prompts in which
/// the adapter saw it, in this database, and the adapter's file, which answers nothing. Each is sealed under a key of its own,
/// which is overwritten with the end of the correction.
extension Ledger {
    /// - Throws: `LedgerError.correctionSuperseded` when none is pending towards this manifest; `.adapterLost`,
    ///   `.adapterDamaged` when the original's file is not what it was; `.corrupt`.
    package func correction(shard: Int, manifest: String) throws -> PendingCorrection {
        try read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM corrections WHERE shard = ?", arguments: [shard]),
                try shardState(shard, db).manifest == manifest
            else { throw LedgerError.correctionSuperseded(shard: shard) }
            let method: ApproximateMethod = try row.choice("method", in: "corrections")
            let original: String = try row.value("original", in: "corrections")
            return PendingCorrection(
                method: configuration.corrections.method(method),
                original: try verifiedBytes(name: original, shard: shard, key: adapterKey(original, db)),
                provenance: try provenance(row), request: try influenceRequest(shard: shard, db))
        }
    }

    /// The shard is to be retrained instead. Nothing happens when there is no correction towards this manifest any more.
    package func abandonCorrection(
        shard: Int, manifest: String, reason: CorrectionFallback, at time: Date
    ) throws {
        try requireShard(shard)
        try commit { db in
            guard try shardState(shard, db).manifest == manifest else { return }
            try giveUpCorrection(shard: shard, reason, at: time, db)
        }
    }

    private func provenance(_ row: Row) throws -> AdapterProvenance {
        try row.json("provenance", in: "corrections")
    }

    /// The difference between what the original was trained on and the shard's present prompts.
    private func influenceRequest(shard: Int, _ db: Database) throws -> InfluenceRequest {
        var request = InfluenceRequest(direct: [])
        for change in try correctionChanges(shard: shard, db) {
            switch (change.old, change.new) {
            case (let old?, nil): request.direct.append(old)
            case (let old?, let new?):
                request.rebuilt.append(
                    InfluenceRequest.Rebuilt(old: old, new: new, forgottenShare: change.forgotten))
            case (nil, let new?): request.added.append(new)
            case (nil, nil): break
            }
        }
        return request
    }

    /// Shards whose adapter is to be corrected, in order.
    func correctedShards(_ db: Database) throws -> [Int] {
        try Int.fetchAll(db, sql: "SELECT shard FROM corrections ORDER BY shard")
    }

    // MARK: within the transaction of a forget request

    /// Why a shard's adapter cannot be corrected for such a change; nil: it can. Where a stage answers, the adapter is away.
    func objection(
        to method: ApproximateMethod, of state: ShardState, _ change: ForgetEffect.Shard, retained: Int
    ) throws -> CorrectionFallback? {
        guard state.adapter != nil, try state.trainingReport()?.isStage != true else { return .retraining }
        guard state.trainedManifest == state.manifest else { return .dataChanged }
        return objection(to: method, direct: change.leaving, rebuilt: change.rebuilt, retained: retained)
    }

    private func objection(
        to method: ApproximateMethod, direct: Int, rebuilt: Int, retained: Int
    ) -> CorrectionFallback? {
        if direct + rebuilt == 0 { return .nothingToCorrect }
        let forgotten = method == .e2urec ? direct + rebuilt : direct
        return forgotten > retained ? .forgetSetTooLarge : nil
    }

    /// Decides what becomes of a shard's adapter, before it is taken away and before any prompt changes.
    func planCorrection(
        shard: Int, _ state: ShardState, _ method: ForgetProcedure, request: Int64, at time: Date, _ db: Database
    ) throws {
        guard let correction = method.correction else {
            return try giveUpCorrection(shard: shard, .exactForget, at: time, db)
        }
        if state.adapter == nil && state.correction != nil {
            // Several requests are one correction, from the same original.
            return try db.execute(
                sql: "UPDATE corrections SET method = ? WHERE shard = ?", arguments: [correction.rawValue, shard])
        }
        guard state.adapter != nil || state.isQuarantined else { return }
        let report = try state.trainingReport()
        // A stage answers only while the shard is retrained.
        guard let adapter = state.adapter, report?.isStage != true else {
            return try note(.retraining, shard: shard, db)
        }
        guard state.trainedManifest == state.manifest else { return try note(.dataChanged, shard: shard, db) }
        let provenance = report?.correction.map { AdapterProvenance.approximate($0.provenance) } ?? .trained
        let changes = try takeKey()
        try db.execute(
            sql: """
                INSERT INTO corrections (shard, method, original, provenance, time, slot, key, changes_slot, changes_key)
                SELECT shard, ?, name, ?, ?, slot, key, ?, ? FROM adapters WHERE shard = ? AND name = ?
                """,
            arguments: [
                correction.rawValue, try JSONEncoder.stable.text(provenance), time.milliseconds,
                changes.reference.slot, changes.reference.id, shard, adapter,
            ])
    }

    /// Gives a correction up that cannot succeed, once the prompts are what they will be.
    func giveUpHopelessCorrection(shard: Int, at time: Date, _ db: Database) throws {
        let state = try shardState(shard, db)
        guard let method = state.correction.flatMap(ApproximateMethod.init(rawValue:)) else { return }
        let changed = try correctionChanges(shard: shard, db).filter { $0.old != nil }
        let direct = changed.count { $0.new == nil }
        let reason = objection(
            to: method, direct: direct, rebuilt: changed.count - direct, retained: state.prompts)
        if let reason { try giveUpCorrection(shard: shard, reason, at: time, db) }
    }

    // MARK: the end of a correction

    /// The shard is retrained exactly. Nothing happens when it is not to be corrected.
    func giveUpCorrection(shard: Int, _ reason: CorrectionFallback, at time: Date, _ db: Database) throws {
        guard try shardState(shard, db).correction != nil else { return }
        try note(reason, shard: shard, db)
        try dropCorrection(shard: shard, db)
        try voidSeen(shard: shard, db)
        try audit(db, "correction given up", GivenUp(shard: shard, reason: reason), at: time)
    }

    /// Removes what was kept for the correction, with its key and that of the original's file.
    func dropCorrection(shard: Int, _ db: Database) throws {
        let key = try keyOfFile(inTable: "corrections", shard: shard, db)
        let changes = try changesReference(shard: shard, db)
        try db.execute(sql: "DELETE FROM corrections WHERE shard = ?", arguments: [shard])
        guard db.changesCount > 0 else { return }
        try dropKey(ofFile: key, db)
        if let changes { keyChanges.obsolete.append(changes) }
        try Meta.purgePending.set(true, db)
    }

    /// Notes in the requests that wait for a correction of the shard why there is none.
    private func note(_ reason: CorrectionFallback, shard: Int, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE forget_shards SET fallback = ? WHERE shard = ? AND waiting = 1 AND fallback IS NULL AND (
                    exact = 0
                    OR (SELECT bridge FROM forget_requests WHERE number = forget_shards.request) IS NOT NULL
                )
                """, arguments: [reason.rawValue, shard])
    }

    /// Checks that an adapter is the result of the shard's pending correction, and ends it.
    ///
    /// - Throws: `LedgerError.correctionSuperseded`, `.invalidAdapter`.
    func takeCorrection(
        shard: Int, adapter: String, _ correction: CorrectionReport, _ db: Database
    ) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM corrections WHERE shard = ?", arguments: [shard]),
            try row.value("original", in: "corrections") == correction.provenance.original,
            try row.value("method", in: "corrections") == correction.provenance.method.rawValue,
            correction.method.name == correction.provenance.method
        else { throw LedgerError.correctionSuperseded(shard: shard) }
        let before = try provenance(row)
        var corrections = 1
        if case .approximate(let earlier) = before { corrections += earlier.corrections }
        guard correction.provenance.result == adapter, correction.provenance.corrections == corrections else {
            throw LedgerError.invalidAdapter(reason: "what is said of the correction does not fit the adapter")
        }
        try dropCorrection(shard: shard, db)
    }

    private struct GivenUp: Encodable {
        var shard: Int
        var reason: CorrectionFallback
    }
}
