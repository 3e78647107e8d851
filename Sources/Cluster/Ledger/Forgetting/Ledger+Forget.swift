import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// What `forget` would do; writes nothing.
    ///
    /// - Throws: `LedgerError.unknownData` (all unknown ones named), `.invalidRequest`.
    package func plan(_ request: ClientRequest.ForgetRequest) throws -> ForgetPlan {
        try read { db in
            let method = try ForgetProcedure(request, default: configuration.method)
            let effect = try effect(of: request, method, db)
            let speed = try tokensPerSecond(db)
            let shards = try effect.shards.sorted(by: { $0.key < $1.key }).map { shard, change in
                try plan(shard: shard, change, method, tokensPerSecond: speed, db)
            }
            let retrained = shards.filter(\.retrains)
            // Unknown where a part is.
            func sum<Value>(_ values: [Value?], _ add: ([Value]) -> Value) -> Value? {
                values.contains { $0 == nil } ? nil : add(values.compactMap { $0 })
            }
            return ForgetPlan(
                method: method.method, bridge: method.bridge,
                counts: effect.counts, shards: shards, tokens: sum(retrained.map(\.tokens)) { $0.saturatedSum },
                seconds: sum(retrained.map(\.seconds)) { $0.reduce(0, +) }, alreadyForgotten: effect.alreadyForgotten)
        }
    }

    private func plan(
        shard: Int, _ change: ForgetEffect.Shard, _ method: ForgetProcedure, tokensPerSecond: Double?, _ db: Database
    ) throws -> ForgetPlan.Shard {
        let state = try shardState(shard, db)
        let retained = state.prompts - change.leaving
        var plan = ForgetPlan.Shard(
            index: shard, promptsRetained: retained, promptsDeleted: change.deleted, promptsRebuilt: change.rebuilt,
            retrains: (state.adapter != nil || state.isQuarantined) && retained > 0, tokens: nil, seconds: nil)
        if plan.retrains, let correction = method.correction {
            let isPending = state.adapter == nil && state.correction != nil
            plan.fallback =
                isPending ? nil : objection(to: correction, of: state, change, retained: retained)
            plan.corrects = plan.fallback == nil
            plan.retrains = !plan.corrects || method.bridge != nil
        }
        if state.trainedPrompts > 0 {
            let tokens = Double(state.trainedTokens) / Double(state.trainedPrompts) * Double(retained)
            plan.tokens = Int(saturating: tokens)
            plan.seconds = tokensPerSecond.map { tokens / $0 }
        }
        return plan
    }

    /// Forgets, durably and at once in the ledger: rows, prompts, embeddings, margins, stored replies, adapters that saw
    /// the data, attention tuned on it; what is left to do is to retrain the shards that `ForgetOutcome.waitingFor` names.
    ///
    /// An item that only forgotten rows named leaves the catalogue too: its title may say something about the person. An
    /// import in progress that holds forgotten data is dropped and has to be sent again.
    ///
    /// - Throws: `LedgerError.unknownData` (nothing was done), `.requestConflict`, `.invalidRequest`.
    package func forget(
        requestID: String, _ request: ClientRequest.ForgetRequest, at time: Date
    ) throws -> ForgetOutcome {
        let fingerprint = try self.fingerprint(request)
        let outcome: ForgetOutcome = try commit { db in
            if let known = try Row.fetchOne(
                db, sql: "SELECT fingerprint, outcome FROM forget_requests WHERE id = ?", arguments: [requestID])
            {
                let before: Data = try known.value("fingerprint", in: "forget_requests")
                guard before == fingerprint else { throw LedgerError.requestConflict(id: requestID) }
                return try known.json("outcome", in: "forget_requests")
            }
            let method = try ForgetProcedure(request, default: configuration.method)
            let effect = try effect(of: request, method, db)
            return try carryOut(effect, method, requestID, fingerprint: fingerprint, at: time.stored, db)
        }
        // The request is durable. Should the disk be too full to clean up, `purge` stays pending: `finish` insists on it.
        if purgesAtOnce { try? purgeIfPending() }
        return outcome
    }

    /// Removes the last traces from the files: rebuilds the database file (secure_delete overwrites deleted rows, but not
    /// the copies that SQLite leaves behind when it moves rows between pages), truncates the write-ahead log and deletes
    /// adapter files that the ledger no longer names. `forget` calls it; opening the ledger does too.
    package func purge() throws {
        cachedSnapshot = nil
        try requireSameFiles()
        try LedgerFiles.mappingErrors(at: database.path) {
            try queue.vacuum()
            try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            try deleteUnnamedAdapterFiles()
            try queue.write { try Meta.purgePending.set(false, $0) }
        }
    }

    func purgeIfPending() throws {
        try sealIfPending()
        if try read({ try Meta.purgePending.value(Bool.self, $0) ?? false }) { try purge() }
    }

    // MARK: one transaction

    private func carryOut(
        _ effect: ForgetEffect, _ method: ForgetProcedure, _ id: String, fingerprint: Data, at time: Date,
        _ db: Database
    ) throws -> ForgetOutcome {
        var outcome = ForgetOutcome(
            request: id, received: time, counts: effect.counts, shards: effect.shards.keys.sorted(), waitingFor: [],
            droppedAdapters: [], alreadyForgotten: effect.alreadyForgotten, method: method.method,
            bridge: method.bridge)
        try db.execute(
            sql: """
                INSERT INTO forget_requests (id, fingerprint, method, bridge, received, outcome, audit)
                VALUES (?, ?, ?, ?, ?, '', '')
                """,
            arguments: [id, fingerprint, method.method.rawValue, method.bridge?.rawValue, time.milliseconds])
        let number = db.lastInsertedRowID
        if !effect.changesNothing {
            outcome.droppedAdapters = try quarantine(effect, method, request: number, at: time, db)
            try keepOldVersions(effect, db)
            try remove(effect, at: time, db)
            for shard in outcome.shards { try giveUpHopelessCorrection(shard: shard, at: time, db) }
            try suspectCopies(request: number, shards: outcome.shards, at: time, db)
            try Meta.purgePending.set(true, db)
        }
        try db.execute(
            sql: """
                UPDATE forget_shards SET new_manifest =
                    (SELECT manifest FROM shards WHERE shards.shard = forget_shards.shard)
                WHERE request = ? AND waiting = 0 AND new_manifest IS NULL
                """, arguments: [number])
        outcome.waitingFor = try waitingShards(request: number, db)
        outcome.correcting = try correctedShards(db).filter(outcome.waitingFor.contains)
        var logged = outcome
        logged.request = Ledger.auditName(ofRequest: id)
        let detail = ForgetDetail(
            request: logged.request, people: Set(effect.people).map { pseudonym("user", $0).hexadecimal }.sorted(),
            outcome: logged)
        let hash = try audit(db, "forget", detail, at: time)
        try db.execute(
            sql: "UPDATE forget_requests SET outcome = ?, audit = ? WHERE number = ?",
            arguments: [try JSONEncoder.stable.text(outcome), hash, number])
        return outcome
    }

    /// Takes the adapters of the shards away and notes what the request waits for. Returns the adapters' names.
    private func quarantine(
        _ effect: ForgetEffect, _ method: ForgetProcedure, request: Int64, at time: Date, _ db: Database
    ) throws -> [String] {
        var dropped: [String] = []
        for shard in effect.shards.keys.sorted() {
            let state = try shardState(shard, db)
            // A shard that is quarantined already keeps the name of the adapter that it lost first.
            let earlier = try Row.fetchOne(
                db,
                sql: """
                    SELECT old_adapter, old_manifest FROM forget_shards WHERE shard = ? AND waiting = 1
                    ORDER BY request LIMIT 1
                    """, arguments: [shard])
            let oldAdapter: String? = try earlier?.optional("old_adapter", in: "forget_shards") ?? state.adapter
            let oldManifest: String =
                try earlier?.value("old_manifest", in: "forget_shards") ?? state.trainedManifest ?? state.manifest
            try db.execute(
                sql: """
                    INSERT INTO forget_shards (request, shard, old_adapter, old_manifest, waiting, exact)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    request, shard, oldAdapter, oldManifest,
                    state.adapter != nil || state.isQuarantined, method.method == .apa,
                ])
            try planCorrection(shard: shard, state, method, request: request, at: time, db)
            // One that was damaged when the request came saw the data too, and workers may still keep it.
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO dropped_adapters (name, manifest)
                    SELECT adapter, manifest FROM damaged_adapters WHERE shard = ?
                    """, arguments: [shard])
            if let adapter = state.adapter {
                dropped.append(adapter)
                try db.execute(
                    sql: "INSERT OR IGNORE INTO dropped_adapters (name, manifest) VALUES (?, ?)",
                    arguments: [adapter, state.trainedManifest ?? state.manifest])
                try dropAdapter(shard: shard, db)
                try db.execute(
                    sql: "UPDATE shards SET quarantined = ? WHERE shard = ?", arguments: [time.milliseconds, shard])
            }
        }
        return dropped
    }

    private func remove(_ effect: ForgetEffect, at time: Date, _ db: Database) throws {
        let wasTuned = try isTuned(db)
        try clearStagedImports(effect, db)
        var touched = Touched(shards: Set(effect.shards.keys))
        for changes in effect.changes { try apply(changes, touched: &touched, db) }
        try removeRows(effect, db)
        for tombstone in effect.tombstones { try bury(tombstone, db) }
        try deleteReplies(of: Set(effect.people).sorted(), db)
        _ = try refresh(touched, db)
        for shard in effect.shards.keys.sorted() { try dropKey(ofShard: shard, db) }
        if !wasTuned || !touched.shards.isEmpty || touched.splits.contains(.validation) {
            try db.execute(sql: "DELETE FROM tuning")
        }
        // Centres of a partition that nobody is left in say something about the people who were.
        let left = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
        if left == 0 {
            try db.execute(sql: "DELETE FROM partition")
            try db.execute(sql: "UPDATE users SET shard = NULL WHERE shard IS NOT NULL")
        }
    }

    private func removeRows(_ effect: ForgetEffect, _ db: Database) throws {
        let item = try db.makeStatement(sql: "SELECT item FROM interactions WHERE id = ?")
        let remove = try db.makeStatement(sql: "DELETE FROM interactions WHERE id = ?")
        var items: Set<Int64> = []
        for id in effect.interactions {
            if let item = try Int64.fetchOne(item, arguments: [id]) { items.insert(item) }
            try remove.execute(arguments: [id])
        }
        // Of everybody of whom something goes: what workers' disks hold is noise from the acknowledgement on.
        for changes in effect.changes { try dropKey(ofUser: changes.user, db) }
        for user in effect.emptyUsers { try db.execute(sql: "DELETE FROM users WHERE id = ?", arguments: [user]) }
        let orphan = try db.makeStatement(
            sql: """
                SELECT token FROM items
                WHERE id = :id AND NOT EXISTS (SELECT 1 FROM interactions WHERE item = :id)
                """)
        for id in items.sorted() {
            guard let token = try String.fetchOne(orphan, arguments: ["id": id]) else { continue }
            let staged = try String.fetchAll(
                db, sql: "SELECT DISTINCT import FROM staged_items WHERE token = ?", arguments: [token])
            for importID in staged { try clearStaging(importID, db) }
            try db.execute(sql: "DELETE FROM items WHERE id = ?", arguments: [id])
        }
    }

    private func clearStagedImports(_ effect: ForgetEffect, _ db: Database) throws {
        for tombstone in effect.tombstones {
            let imports: [String] =
                switch tombstone {
                case .user(let user):
                    try stagedImports(user: user, item: nil, db)
                case .pair(let user, let item):
                    try stagedImports(user: user, item: item, db)
                case .interaction: []
                }
            for importID in imports { try clearStaging(importID, db) }
        }
    }

    /// Tells a repeated request from another one under the same id, without keeping what it named.
    private func fingerprint(_ request: ClientRequest.ForgetRequest) throws -> Data {
        let targets = Set(request.interactions).map { [$0.user, $0.item, $0.timestamp.map(String.init) ?? "any"] }
        let method = [request.method ?? "default"] + (request.bridge.map { ["bridge", $0] } ?? [])
        let parts =
            [method, Set(request.users).sorted()] + targets.sorted { $0.lexicographicallyPrecedes($1) }
        return pseudonym("forget request", try JSONEncoder.stable.text(parts))
    }

    private struct ForgetDetail: Encodable {
        var request: String
        var people: [String]
        var outcome: ForgetOutcome
    }
}
