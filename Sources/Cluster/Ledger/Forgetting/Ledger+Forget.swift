import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Forgets, durably and at once in the ledger: records, prompts, embeddings, margins, the keys that they are sealed with
    /// wherever they lie, adapters that saw the data, attention tuned on it; what is left to do is to retrain the shards that
    /// `ForgetOutcome.waitingFor` names. The keys are overwritten when this returns.
    ///
    /// An item that only forgotten rows named leaves the catalogue too: its title may say something about the person. An
    /// import in progress that holds forgotten data is dropped and has to be sent again; so is one that cannot be read, whoever is
    /// in it. One that is being taken in goes on without the people who are named (`takeOut`).
    ///
    /// - Throws: `LedgerError.unknownData` (nothing was done), `.requestConflict`, `.invalidRequest`.
    package func forget(
        requestID: String, _ request: ClientRequest.ForgetRequest, at time: Date
    ) throws -> ForgetOutcome {
        let fingerprint = try self.fingerprint(request)
        return try droppingUnreadableImports(at: time) {
            try commit { db in
                if let known = try Row.fetchOne(
                    db, sql: "SELECT * FROM forget_requests WHERE id = ?", arguments: [requestID])
                {
                    let before: Data = try known.value("fingerprint", in: "forget_requests")
                    guard before == fingerprint else { throw LedgerError.requestConflict(id: requestID) }
                    return try ForgetRecord(row: known).outcome
                }
                let method = try ForgetProcedure(request, default: configuration.method)
                var selection = try select(request, db)
                if try takeOut(selection, at: time, db) {
                    selection = try select(request, db)
                    selection.keepsItems = try !importsBeingTaken(db).isEmpty
                }
                return try carryOut(selection, method, requestID, fingerprint: fingerprint, at: time.stored, db)
            }
        }
    }

    // MARK: one transaction

    private func carryOut(
        _ selection: ForgetSelection, _ method: ForgetProcedure, _ id: String, fingerprint: Data, at time: Date,
        _ db: Database
    ) throws -> ForgetOutcome {
        try db.execute(
            sql: """
                INSERT INTO forget_requests (id, fingerprint, method, bridge, received, outcome, audit)
                VALUES (?, ?, ?, ?, ?, '', '')
                """,
            arguments: [id, fingerprint, method.method.rawValue, method.bridge?.rawValue, time.milliseconds])
        var effect = ForgetEffect()
        effect.counts.users = selection.wholeUsers
        var dropped: [Int: String] = [:]
        let number = db.lastInsertedRowID
        if !selection.tombstones.isEmpty {
            dropped = try remove(selection, method, request: number, &effect, at: time, db)
            for shard in effect.shards.keys.sorted() { try giveUpHopelessCorrection(shard: shard, at: time, db) }
            try suspectCopies(request: number, shards: effect.shards.keys.sorted(), at: time, db)
        }
        var outcome = ForgetOutcome(
            request: id, received: time, counts: effect.counts, shards: effect.shards.keys.sorted(), waitingFor: [],
            droppedAdapters: dropped.sorted { $0.key < $1.key }.map(\.value),
            alreadyForgotten: selection.alreadyForgotten, method: method.method, bridge: method.bridge)
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
            request: logged.request, people: Set(selection.names).map { pseudonym("user", $0).hexadecimal }.sorted(),
            outcome: logged)
        let hash = try audit(db, "forget", detail, at: time)
        try db.execute(
            sql: "UPDATE forget_requests SET outcome = ?, audit = ? WHERE number = ?",
            arguments: [try JSONEncoder.stable.text(outcome), StoredHash.value(hash), number])
        return outcome
    }

    /// Person by person. Returns the names of the adapters that are taken away, by shard.
    private func remove(
        _ selection: ForgetSelection, _ method: ForgetProcedure, request: Int64, _ effect: inout ForgetEffect,
        at time: Date, _ db: Database
    ) throws -> [Int: String] {
        forgetRevision += 1
        let wasTuned = try isTuned(db)
        var dropped: [Int: String] = [:]
        var (summaries, uses) = (Summaries(), CatalogueCounts())
        var changes = CorrectionChanges()
        var people: Set<Int64> = []
        for importID in selection.imports.sorted() { try clearStaging(importID, db) }
        for tombstone in selection.tombstones { try bury(tombstone, db) }
        let damaged =
            try selection.damaged.flatMap { try buryDamaged($0, db) }
            + selection.partlyDamaged.flatMap { try clearDamaged($0, db) }
        for shard in damaged where effect.shards[shard] == nil {
            effect.shards[shard] = ForgetEffect.Shard()
            dropped[shard] = try quarantine(shard, method, request: request, at: time, db)
        }
        try forEachForgetting(selection, method, db) { forgetting in
            // Before anything of a shard changes: what becomes of its adapter depends on how it is.
            let known = Set(effect.shards.keys)
            effect.count(forgetting)
            effect.count(slicesOf: forgetting, configuration)
            for shard in Set(effect.shards.keys).subtracting(known).sorted() {
                dropped[shard] = try quarantine(shard, method, request: request, at: time, db)
            }
            try changes.add(&forgetting, self, db)
            for tombstone in forgetting.tombstones { try bury(tombstone, db) }
            if let person = forgetting.change.before {
                people.insert(person.id)
                touched.people.insert(person.id)
                forgottenLately.note(person.id)
            }
            try write(forgetting.change, &summaries, uses: &uses, newKey: takeKey, db)
        }
        try changes.flush(self, db)
        // Whose record was damaged may have counted before that was seen.
        if !uses.likes.isEmpty || !(selection.damaged + selection.partlyDamaged).isEmpty { touched.changesLikes = true }
        try removeItems(uses, keepsAll: selection.keepsItems, db)
        _ = try write(summaries, db)
        for shard in effect.shards.keys.sorted() {
            try dropKey(ofShard: shard, db)
            try dropStages(shard: shard, from: effect.shards[shard]?.slice ?? 1, db)
        }
        if !wasTuned || !effect.shards.isEmpty || summaries.touchesShards || summaries.touches(.validation) {
            try db.execute(sql: "DELETE FROM tuning")
        }
        // Centres of a partition that nobody is left in say something about the people who were.
        let left = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
        if left == 0 {
            try dropCentres(db)
            try db.execute(sql: "UPDATE people SET shard = NULL WHERE shard IS NOT NULL")
        } else {
            try takeFromCentres(people, at: time, db)
        }
        return dropped
    }

    /// Takes the adapter of a shard away and notes what the request waits for. Returns the adapter's name.
    private func quarantine(
        _ shard: Int, _ method: ForgetProcedure, request: Int64, at time: Date, _ db: Database
    ) throws -> String? {
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
                request, shard, oldAdapter, oldManifest, state.adapter != nil || state.isQuarantined,
                method.method == .apa,
            ])
        try planCorrection(shard: shard, state, method, request: request, at: time, db)
        // One that was damaged when the request came saw the data too, and workers may still keep it.
        let damaged = try Row.fetchAll(
            db, sql: "SELECT adapter, manifest FROM damaged_adapters WHERE shard = ?", arguments: [shard])
        for row in damaged {
            try noteDropped(
                row.value("adapter", in: "damaged_adapters"), shard: shard,
                manifest: row.value("manifest", in: "damaged_adapters"), db)
        }
        guard let adapter = state.adapter else { return nil }
        try noteDropped(adapter, shard: shard, manifest: state.trainedManifest ?? state.manifest, db)
        try dropAdapter(shard: shard, db)
        try db.execute(
            sql: "UPDATE shards SET quarantined = ? WHERE shard = ?", arguments: [time.milliseconds, shard])
        return adapter
    }

    /// Items that somebody had and nobody names any more leave the catalogue; `purge` removes what SQLite leaves of them.
    ///
    /// - `keepsAll`: they stay, and nothing that was answered with them.
    private func removeItems(_ counts: CatalogueCounts, keepsAll: Bool, _ db: Database) throws {
        let catalogue = try catalogue(db)
        let kept = keepsAll ? [] : try itemsBeingTaken(db)
        let unused = counts.uses.filter { item, count in
            guard counts.had.contains(item), let entry = catalogue[item] else { return false }
            return entry.uses + count <= 0
        }.keys.sorted()
        let gone = unused.filter { catalogue[$0].map { !kept.contains($0.token) } ?? false }
        if keepsAll && !unused.isEmpty || gone.count < unused.count { try noteKeptItems(db) }
        touched.items.formUnion(gone.compactMap { catalogue[$0]?.token })
        afterWriting.append { [self] in cachedCatalogue?.count(counts) }
        if !keepsAll { try remove(items: gone, db) }
    }

    /// - `gone`: ascending.
    /// - `dropsUnreadableImports`: imports in progress that cannot be read go too.
    func remove(items gone: [Int64], dropsUnreadableImports: Bool = false, _ db: Database) throws {
        guard !gone.isEmpty else { return }
        let catalogue = try catalogue(db)
        let tokens = Set(gone.compactMap { catalogue[$0]?.token })
        for item in gone { try db.execute(sql: "DELETE FROM items WHERE id = ?", arguments: [item]) }
        try dropImports(naming: tokens, andUnreadable: dropsUnreadableImports, db)
        try Meta.catalogueTraces.set(true, db)
        try Meta.purgePending.set(true, db)
        afterWriting.append { [self] in for item in gone { cachedCatalogue?.remove(item) } }
    }

    /// Imports in progress with the titles of items that left the catalogue are sent again.
    private func dropImports(naming tokens: Set<String>, andUnreadable: Bool, _ db: Database) throws {
        for importID in try String.fetchAll(
            db, sql: "SELECT import FROM imports WHERE taking IS NULL ORDER BY import")
        {
            var isNamed = false
            do {
                try staged(importID, db)?.forEachItem { if tokens.contains($0.token) { isNamed = true } }
            } catch let error as LedgerError where andUnreadable && error.isOfUnreadableImport {
                isNamed = true
            }
            if isNamed { try clearStaging(importID, db) }
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
