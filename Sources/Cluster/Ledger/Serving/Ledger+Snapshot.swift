import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// What the coordinator's logic needs: what changed since the last time is read, and nothing else.
    package func snapshot() throws -> LedgerSnapshot {
        // What a transaction that is under way wrote may yet be taken back.
        if transaction != nil { return try snapshotReadWhole() }
        return try read { db in
            guard var known = cachedSnapshot else {
                try SnapshotChanges.watch(db)
                let whole = try KnownSnapshot(self, db)
                cachedSnapshot = whole
                return whole.snapshot
            }
            let changes = try SnapshotChanges(db)
            if changes.isEmpty { return known.snapshot }
            // If anything cannot be read, all of it is read the next time.
            cachedSnapshot = nil
            try known.update(changes, self, db)
            try SnapshotChanges.clear(db)
            cachedSnapshot = known
            return known.snapshot
        }
    }

    /// The same, read from the first row to the last.
    package func snapshotReadWhole() throws -> LedgerSnapshot { try read { try KnownSnapshot(self, $0).snapshot } }

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
