import Foundation
import GRDB
import Recommendation
import Unlearning

extension Ledger {
    /// What the coordinator's logic needs; milliseconds, and nothing at all while the ledger has not changed.
    public func snapshot() throws -> LedgerSnapshot {
        if let cachedSnapshot { return cachedSnapshot }
        let snapshot = try read(makeSnapshot)
        cachedSnapshot = snapshot
        return snapshot
    }

    private func makeSnapshot(_ db: Database) throws -> LedgerSnapshot {
        var counts = SplitCounts()
        var validationDigest = ""
        for row in try Row.fetchAll(db, sql: "SELECT split, prompts, digest FROM splits") {
            guard let split = Split(rawValue: row["split"]) else { continue }
            counts[split] = row["prompts"]
            if split == .validation { validationDigest = row["digest"] }
        }
        let shards = try Row.fetchAll(
            db,
            sql: """
                SELECT shards.*, adapters.name AS adapter, adapters.manifest AS trained, adapters.created,
                adapters.trainer,
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
                (SELECT COUNT(*) FROM margins WHERE margins.shard = shards.shard) AS margins
                FROM shards LEFT JOIN adapters ON adapters.shard = shards.shard ORDER BY shards.shard
                """
        ).map { row in
            LedgerSnapshot.Shard(
                index: row["shard"], manifest: row["manifest"], prompts: row["prompts"],
                adapter: try (row["adapter"] as String?).map {
                    LedgerSnapshot.Adapter(
                        name: $0, manifest: row["trained"], missingMargins: counts.validation - row["margins"],
                        approximation: try approximation(row), trainer: row["trainer"])
                },
                quarantinedSince: (row["quarantined"] as Int64?).map(Date.init(milliseconds:)),
                correction: (row["correction"] as String?).flatMap(ApproximateProvenance.Method.init(rawValue:)),
                awaitsExact: row["awaits_exact"],
                fallback: (row["fallback"] as String?).flatMap(CorrectionFallback.init(rawValue:)))
        }
        let pending = try Row.fetchAll(
            db,
            sql: """
                SELECT number, id, received, method, bridge FROM forget_requests WHERE finished IS NULL ORDER BY number
                """
        ).map { row in
            LedgerSnapshot.PendingForget(
                id: row["id"], received: Date(milliseconds: row["received"]),
                waitingFor: try waitingShards(request: row["number"], db),
                retrained: try Int.fetchAll(
                    db,
                    sql: """
                        SELECT shard FROM forget_shards
                        WHERE request = ? AND (waiting = 1 OR new_adapter IS NOT NULL) ORDER BY shard
                        """, arguments: [row["number"] as Int64]),
                method: ClusterConfiguration.Method(rawValue: row["method"]) ?? .apa,
                bridge: (row["bridge"] as String?).flatMap(ApproximateProvenance.Method.init(rawValue:)))
        }
        let dealt = shards.reduce(0) { $0 + $1.prompts }
        return LedgerSnapshot(
            shards: shards,
            hasData: try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM interactions)") ?? false,
            isPartitioned: counts.train > 0 && dealt == counts.train, unassignedPrompts: counts.train - dealt,
            missingEmbeddings: try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM prompts WHERE needs_embedding = 1") ?? 0,
            trainingPrompts: counts.train, validationPrompts: counts.validation, testPrompts: counts.test,
            validationDigest: validationDigest, isTuned: try isTuned(db), pendingForgets: pending,
            trainingRequested: try Meta.trainingRequested.value(Bool.self, db) ?? false,
            purgePending: try Meta.purgePending.value(Bool.self, db) ?? false)
    }

    private func approximation(_ row: Row) throws -> LedgerSnapshot.Approximation? {
        guard let report: String = row["approximate"] else { return nil }
        let decoded = try JSONDecoder().decode(AdapterReport.self, from: Data(report.utf8))
        return decoded.approximation.map {
            LedgerSnapshot.Approximation(
                method: $0.provenance.method, corrections: $0.provenance.corrections,
                since: Date(milliseconds: row["created"]))
        }
    }

    func waitingShards(request number: Int64, _ db: Database) throws -> [Int] {
        try Int.fetchAll(
            db, sql: "SELECT shard FROM forget_shards WHERE request = ? AND waiting = 1 ORDER BY shard",
            arguments: [number])
    }

    /// Remembers that training was asked for.
    public func requestTraining(at time: Date) throws {
        try mutate { db in
            try Meta.trainingRequested.set(true, db)
            try audit(db, "train", [String: Int](), at: time)
        }
    }

    public func statistics() throws -> LedgerStatistics {
        try read { db in
            func count(_ table: String) throws -> Int {
                try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \(table)") ?? 0
            }
            let shortened = try shortenedPrompts(db)
            return LedgerStatistics(
                users: try count("users"), items: try count("items"), interactions: try count("interactions"),
                tombstones: try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM tombstones WHERE kind IN ('user', 'interaction')") ?? 0,
                forgetRequests: try count("forget_requests"), auditEntries: try count("audit"),
                tokensPerSecond: try tokensPerSecond(db), promptsShortened: shortened.count,
                shortened: shortened.first)
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
        guard let tokens: Double = row?["t"], let seconds: Double = row?["s"], seconds > 0, seconds.isFinite, tokens > 0
        else { return nil }
        return tokens / seconds
    }
}
