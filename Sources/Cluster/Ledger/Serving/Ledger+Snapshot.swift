import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// What the coordinator's logic needs; milliseconds, and nothing at all while the ledger has not changed.
    package func snapshot() throws -> LedgerSnapshot {
        if let cachedSnapshot { return cachedSnapshot }
        let snapshot = try read(makeSnapshot)
        cachedSnapshot = snapshot
        return snapshot
    }

    private func makeSnapshot(_ db: Database) throws -> LedgerSnapshot {
        var counts = SplitCounts()
        var validationDigest = ""
        var likes = 0
        for row in try Row.fetchAll(db, sql: "SELECT split, prompts, digest, likes FROM splits") {
            let split: Split = try row.choice("split", in: "splits")
            counts[split] = try row.count("prompts", in: "splits")
            if split == .train { likes = try row.count("likes", in: "splits") }
            if split == .validation { validationDigest = try row.value("digest", in: "splits") }
        }
        let damaged = try damagedAdapters(db)
        let shards = try Row.fetchAll(
            db,
            sql: """
                SELECT shards.shard, shards.manifest, shards.prompts, shards.likes, shards.quarantined,
                adapters.name AS adapter, adapters.manifest AS trained, adapters.created, adapters.trainer,
                CASE WHEN adapters.method <> 'apa' THEN adapters.report END AS approximate,
                (SELECT method FROM corrections WHERE corrections.shard = shards.shard) AS correction,
                EXISTS (
                    SELECT 1 FROM forget_shards
                    WHERE forget_shards.shard = shards.shard AND waiting = 1 AND exact = 1
                ) AS awaits_exact,
                (
                    SELECT fallback FROM forget_shards WHERE forget_shards.shard = shards.shard AND waiting = 1
                    AND fallback IS NOT NULL ORDER BY request LIMIT 1
                ) AS fallback,
                adapters.margins
                FROM shards LEFT JOIN adapters ON adapters.shard = shards.shard ORDER BY shards.shard
                """
        ).map { row in
            let index: Int = try row.value("shard", in: "shards")
            return LedgerSnapshot.Shard(
                index: index, manifest: try row.value("manifest", in: "shards"),
                prompts: try row.count("prompts", in: "shards"),
                adapter: try adapter(row, validation: counts.validation),
                quarantinedSince: try row.optionalDate("quarantined", in: "shards"),
                correction: try row.optionalChoice("correction", in: "corrections"),
                awaitsExact: try row.value("awaits_exact", in: "forget_shards"),
                fallback: try row.optionalChoice("fallback", in: "forget_shards"), damage: damaged[index],
                likes: try row.count("likes", in: "shards"))
        }
        let pending = try pendingForgets(db)
        let dealt = shards.reduce(0) { $0 + $1.prompts }
        return LedgerSnapshot(
            shards: shards,
            hasData: try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM people)") ?? false,
            isPartitioned: counts.train > 0 && dealt == counts.train, unassignedPrompts: counts.train - dealt,
            missingEmbeddings: max(0, try Int.fetchOne(db, sql: "SELECT wanting FROM totals") ?? 0),
            trainingPrompts: counts.train, validationPrompts: counts.validation, testPrompts: counts.test,
            validationDigest: validationDigest, isTuned: try isTuned(db), pendingForgets: pending,
            trainingRequested: try Meta.trainingRequested.value(Bool.self, db) ?? false,
            purgePending: try Meta.purgePending.value(Bool.self, db) ?? false,
            isImporting: try !importsBeingTaken(db).isEmpty,
            labels: try recordedPrompts(db).map {
                LedgerSnapshot.Labels(likes: likes, likeAbove: $0.likeAbove)
            }, weighsByRows: try Double.fetchOne(db, sql: "SELECT tau FROM tuning").map { $0 != 0 } ?? false)
    }

    /// Oldest first.
    private func pendingForgets(_ db: Database) throws -> [LedgerSnapshot.PendingForget] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT number, id, received, method, bridge, shard, waiting FROM forget_requests
                LEFT JOIN forget_shards ON request = number AND (waiting = 1 OR new_adapter IS NOT NULL)
                WHERE finished IS NULL ORDER BY number, shard
                """)
        var pending: [LedgerSnapshot.PendingForget] = []
        var last: Int64?
        for row in rows {
            let number: Int64 = try row.value("number", in: "forget_requests")
            if number != last {
                last = number
                pending.append(
                    LedgerSnapshot.PendingForget(
                        id: try row.value("id", in: "forget_requests"),
                        received: try row.date("received", in: "forget_requests"), waitingFor: [],
                        method: try row.choice("method", in: "forget_requests"),
                        bridge: try row.optionalChoice("bridge", in: "forget_requests")))
            }
            guard let shard: Int = try row.optional("shard", in: "forget_shards") else { continue }
            pending[pending.count - 1].retrained.append(shard)
            if try row.value("waiting", in: "forget_shards") { pending[pending.count - 1].waitingFor.append(shard) }
        }
        return pending
    }

    /// Prompts of each split whose answer is "Yes.".
    package func likes() throws -> SplitCounts {
        try read { db in
            var counts = SplitCounts()
            for row in try Row.fetchAll(db, sql: "SELECT split, likes FROM splits") {
                counts[try row.choice("split", in: "splits")] = try row.count("likes", in: "splits")
            }
            return counts
        }
    }

    private func adapter(_ row: Row, validation: Int) throws -> LedgerSnapshot.Adapter? {
        guard let name: String = try row.optional("adapter", in: "adapters") else { return nil }
        return LedgerSnapshot.Adapter(
            name: name, manifest: try row.value("trained", in: "adapters"),
            missingMargins: validation - (try row.count("margins", in: "margins")),
            corrected: try corrected(row), trainer: try row.optional("trainer", in: "adapters"))
    }

    private func corrected(_ row: Row) throws -> LedgerSnapshot.Corrected? {
        guard let report: TrainingReport = try row.optionalJSON("approximate", in: "adapters") else { return nil }
        return try report.correction.map {
            LedgerSnapshot.Corrected(
                method: $0.provenance.method, corrections: $0.provenance.corrections,
                since: try row.date("created", in: "adapters"))
        }
    }

    func waitingShards(request number: Int64, _ db: Database) throws -> [Int] {
        try Int.fetchAll(
            db, sql: "SELECT shard FROM forget_shards WHERE request = ? AND waiting = 1 ORDER BY shard",
            arguments: [number])
    }

    /// Remembers that training was asked for.
    package func requestTraining(at time: Date) throws {
        try commit { db in
            try Meta.trainingRequested.set(true, db)
            try audit(db, "train", [String: Int](), at: time)
        }
    }

    package func statistics() throws -> LedgerStatistics {
        try read { db in
            // They are numbered from 1 and never deleted.
            func last(_ number: String, of table: String) throws -> Int {
                try Int.fetchOne(db, sql: "SELECT MAX(\(number)) FROM \(table)") ?? 0
            }
            let shortened = try shortenedPrompts(db)
            let tombstones = try tombstoneCount ?? countTombstones(db)
            tombstoneCount = tombstones
            return LedgerStatistics(
                users: try Int.fetchOne(db, sql: "SELECT people FROM totals") ?? 0, items: try catalogue(db).count,
                interactions: try Int.fetchOne(db, sql: "SELECT interactions FROM totals") ?? 0,
                tombstones: tombstones, forgetRequests: try last("number", of: "forget_requests"),
                auditEntries: try last("sequence", of: "audit"),
                tokensPerSecond: try tokensPerSecond(db),
                promptsChange: try Meta.promptsChange.value(PromptsChange.self, db),
                promptsShortened: shortened.ids.count, shortened: shortened.first)
        }
    }

    /// Over the last training of every shard; nil before the first.
    func tokensPerSecond(_ db: Database) throws -> Double? {
        // TOTAL adds in floating point: a whole-number sum of what workers once reported could overflow.
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT TOTAL(MAX(0, MIN(trained_tokens, ?))) AS t, TOTAL(MAX(0, trained_seconds)) AS s FROM shards
                """, arguments: [WireLimits.tokens.upperBound])
        guard let tokens: Double = try row?.optional("t", in: "shards"),
            let seconds: Double = try row?.optional("s", in: "shards"), seconds > 0, seconds.isFinite, tokens > 0
        else { return nil }
        return tokens / seconds
    }
}
