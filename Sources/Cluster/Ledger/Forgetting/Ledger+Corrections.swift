import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// Corrections that are to be made: from the acknowledgement of a forget request by an approximate method (or with a
/// bridge) until the result is published, it fails for good, or something exact supersedes it.
///
/// For that time, and for nothing else, a remnant of the forgotten data exists: the old versions of the prompts in which
/// the adapter saw it, in this database, and the adapter's file, which answers nothing. Both go with the correction, and
/// the purge that follows removes their last traces.
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
        if purgesAtOnce { try? purgeIfPending() }
    }

    private func provenance(_ row: Row) throws -> AdapterProvenance {
        try row.json("provenance", in: "corrections")
    }

    /// The difference between what the original was trained on and the shard's present prompts.
    private func influenceRequest(shard: Int, _ db: Database) throws -> InfluenceRequest {
        var request = InfluenceRequest(direct: [])
        var changed: [(name: String, old: TrainingPrompt, forgotten: Double)] = []
        for row in try changedPrompts(shard: shard, db) {
            let old: TrainingPrompt = try row.json("prompt", in: "correction_prompts")
            if try isGone(row) {
                request.direct.append(old)
            } else {
                changed.append(
                    (
                        try row.value("name", in: "correction_prompts"), old,
                        try row.value("forgotten", in: "correction_prompts")
                    ))
            }
        }
        let new = try storedPrompts(named: changed.map(\.name), db)
        request.rebuilt = zip(changed, new).map { change, new in
            InfluenceRequest.Rebuilt(old: change.old, new: new.sample, forgottenShare: change.forgotten)
        }
        let added = try String.fetchAll(
            db,
            sql: """
                SELECT name FROM prompts WHERE split = 'train' AND shard = :shard
                AND name NOT IN (SELECT name FROM correction_prompts WHERE shard = :shard) ORDER BY name
                """, arguments: ["shard": shard])
        request.added = try storedPrompts(named: added, db).map(\.sample)
        return request
    }

    private func isGone(_ changed: Row) throws -> Bool {
        try changed.decode(DatabaseValue.self, forColumn: "current").isNull
    }

    /// Prompts of the original's training that are gone (current is NULL) or another version now, by name.
    private func changedPrompts(shard: Int, _ db: Database) throws -> [Row] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT old.name, old.prompt, old.forgotten, new.digest AS current
                FROM correction_prompts old LEFT JOIN prompts new
                ON new.name = old.name AND new.split = 'train' AND new.shard = old.shard
                WHERE old.shard = ? AND (new.digest IS NULL OR new.digest <> old.digest) ORDER BY old.name
                """, arguments: [shard])
    }

    /// Shards whose adapter is to be corrected, in order.
    func correctedShards(_ db: Database) throws -> [Int] {
        try Int.fetchAll(db, sql: "SELECT shard FROM corrections ORDER BY shard")
    }

    // MARK: within the transaction of a forget request

    /// Why an adapter that is there cannot be corrected for such a change; nil: it can.
    func objection(
        to method: ApproximateMethod, of state: ShardState, _ change: ForgetEffect.Shard, retained: Int
    ) -> CorrectionFallback? {
        guard state.adapter != nil else { return .retraining }
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
        guard let adapter = state.adapter, state.trainedManifest == state.manifest else {
            return try note(state.adapter == nil ? .retraining : .dataChanged, shard: shard, db)
        }
        let report = try state.report.map { try JSONDecoder().decode(TrainingReport.self, from: Data($0.utf8)) }
        let provenance = report?.correction.map { AdapterProvenance.approximate($0.provenance) } ?? .trained
        try db.execute(
            sql: """
                INSERT INTO corrections (shard, method, original, provenance, time, slot, key)
                SELECT shard, ?, name, ?, ?, slot, key FROM adapters WHERE shard = ? AND name = ?
                """,
            arguments: [
                correction.rawValue, try JSONEncoder.stable.text(provenance), time.milliseconds, shard, adapter,
            ])
        try db.execute(
            sql: """
                INSERT INTO correction_prompts (shard, name, digest)
                SELECT shard, name, digest FROM prompts WHERE split = 'train' AND shard = ?
                """, arguments: [shard])
        try db.execute(
            sql: "INSERT INTO correction_seen (shard, interaction) SELECT shard, interaction FROM seen WHERE shard = ?",
            arguments: [shard])
    }

    /// Keeps the training prompts that are about to go or change, where a correction needs them: the first old version of
    /// each, which is the one that was trained on.
    func keepOldVersions(_ effect: ForgetEffect, _ db: Database) throws {
        let corrected = Set(try correctedShards(db))
        guard !corrected.isEmpty else { return }
        let keep = try db.makeStatement(
            sql: """
                UPDATE correction_prompts SET prompt = :prompt
                WHERE shard = :shard AND name = :name AND digest = :digest AND prompt IS NULL
                """)
        let count = try db.makeStatement(
            sql: """
                UPDATE correction_prompts SET forgotten = MIN(1, forgotten + :share) WHERE shard = :shard AND name = :name
                """)
        let see = try db.makeStatement(
            sql: "INSERT OR IGNORE INTO correction_seen (shard, interaction) VALUES (:shard, :interaction)")
        for changes in effect.changes {
            let rebuilt = changes.difference.rebuilt.map { ($0.old, $0.forgottenShare) }
            for (old, share) in changes.difference.deleted.map({ ($0, 1.0) }) + rebuilt where old.split == .train {
                guard let shard = old.shard, corrected.contains(shard) else { continue }
                if let prompt = effect.oldPrompts[old.id] {
                    let data = try JSONEncoder.stable.encode(prompt)
                    try keep.execute(
                        arguments: ["prompt": data, "shard": shard, "name": old.id, "digest": old.digest])
                }
                try count.execute(arguments: ["share": share, "shard": shard, "name": old.id])
                // Those that are forgotten now go again with their rows.
                for interaction in [old.target] + old.history {
                    try see.execute(arguments: ["shard": shard, "interaction": interaction])
                }
            }
        }
    }

    /// Gives a correction up that cannot succeed, once the prompts are what they will be.
    func giveUpHopelessCorrection(shard: Int, at time: Date, _ db: Database) throws {
        let state = try shardState(shard, db)
        guard let method = state.correction.flatMap(ApproximateMethod.init(rawValue:)) else { return }
        let changed = try changedPrompts(shard: shard, db)
        let direct = try changed.count(where: isGone)
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
        try audit(db, "correction given up", GivenUp(shard: shard, reason: reason), at: time)
    }

    /// Removes what was kept for the correction, and the key of the original's file; `purge` must follow.
    func dropCorrection(shard: Int, _ db: Database) throws {
        let key = try keyOfFile(inTable: "corrections", shard: shard, db)
        try db.execute(sql: "DELETE FROM corrections WHERE shard = ?", arguments: [shard])
        guard db.changesCount > 0 else { return }
        try dropKey(ofFile: key, db)
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
    ) throws -> [Int64] {
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
        let seen = try Int64.fetchAll(
            db, sql: "SELECT interaction FROM correction_seen WHERE shard = ? ORDER BY interaction", arguments: [shard])
        try dropCorrection(shard: shard, db)
        return seen
    }

    private struct GivenUp: Encodable {
        var shard: Int
        var reason: CorrectionFallback
    }
}
