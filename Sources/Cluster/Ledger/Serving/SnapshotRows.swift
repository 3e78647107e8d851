import Foundation
import GRDB
import Messages
import Unlearning

/// A snapshot's shards, as they are read.
enum ShardReading {
    private static let select = """
        SELECT shards.shard, shards.manifest, shards.prompts, shards.likes, shards.quarantined,
        shards.trained_prompts, shards.trained_seconds,
        adapters.name AS adapter, adapters.manifest AS trained, adapters.created, adapters.trainer,
        CASE WHEN adapters.method <> 'apa' THEN adapters.report END AS approximate,
        CASE WHEN instr(adapters.report, '"stage":') > 0 THEN adapters.report END AS staged,
        (SELECT method FROM corrections WHERE corrections.shard = shards.shard) AS correction,
        EXISTS (
            SELECT 1 FROM forget_shards
            WHERE forget_shards.shard = shards.shard AND waiting = 1 AND exact = 1
        ) AS awaits_exact,
        (
            SELECT fallback FROM forget_shards WHERE forget_shards.shard = shards.shard AND waiting = 1
            AND fallback IS NOT NULL ORDER BY request LIMIT 1
        ) AS fallback,
        adapters.margins,
        damaged_adapters.adapter AS damaged, damaged_adapters.lost, damaged_adapters.approximate AS was_approximate
        FROM shards LEFT JOIN adapters ON adapters.shard = shards.shard
        LEFT JOIN damaged_adapters ON damaged_adapters.shard = shards.shard
        """

    /// By number.
    static func all(_ db: Database, references: Int) throws -> [LedgerSnapshot.Shard] {
        try Row.fetchAll(db, sql: "\(select) ORDER BY shards.shard").map { try shard($0, references: references) }
    }

    static func one(_ number: Int, _ db: Database, references: Int) throws -> LedgerSnapshot.Shard? {
        try Row.fetchOne(db, sql: "\(select) WHERE shards.shard = ?", arguments: [number])
            .map { try shard($0, references: references) }
    }

    private static func shard(_ row: Row, references: Int) throws -> LedgerSnapshot.Shard {
        LedgerSnapshot.Shard(
            index: try row.value("shard", in: "shards"), manifest: try row.value("manifest", in: "shards"),
            prompts: try row.count("prompts", in: "shards"), adapter: try adapter(row, references: references),
            quarantinedSince: try row.optionalDate("quarantined", in: "shards"),
            correction: try row.optionalChoice("correction", in: "corrections"),
            awaitsExact: try row.value("awaits_exact", in: "forget_shards"),
            fallback: try row.optionalChoice("fallback", in: "forget_shards"), damage: try damage(row),
            likes: try row.count("likes", in: "shards"), secondsPerPrompt: try secondsPerPrompt(row))
    }

    /// A release before believed any number of a worker's.
    private static func secondsPerPrompt(_ row: Row) throws -> Double? {
        let (prompts, seconds): (Int, Double) = (
            try row.count("trained_prompts", in: "shards"), try row.value("trained_seconds", in: "shards")
        )
        guard prompts > 0, WireLimits.seconds.contains(seconds), seconds > 0 else { return nil }
        return seconds / Double(prompts)
    }

    private static func adapter(_ row: Row, references: Int) throws -> LedgerSnapshot.Adapter? {
        guard let name: String = try row.optional("adapter", in: "adapters") else { return nil }
        return LedgerSnapshot.Adapter(
            name: name, manifest: try row.value("trained", in: "adapters"),
            missingMargins: references - (try row.count("margins", in: "margins")),
            corrected: try corrected(row), trainer: try row.optional("trainer", in: "adapters"), stage: try stage(row))
    }

    /// Only the reports that speak of one are decoded.
    private static func stage(_ row: Row) throws -> Int? {
        let report: TrainingReport? = try row.optionalJSON("staged", in: "adapters")
        return report?.slices?.stage
    }

    private static func corrected(_ row: Row) throws -> LedgerSnapshot.Corrected? {
        guard let report: TrainingReport = try row.optionalJSON("approximate", in: "adapters") else { return nil }
        return try report.correction.map {
            LedgerSnapshot.Corrected(
                method: $0.provenance.method, corrections: $0.provenance.corrections,
                since: try row.date("created", in: "adapters"))
        }
    }

    private static func damage(_ row: Row) throws -> DamagedAdapter? {
        let table = "damaged_adapters"
        guard let adapter: String = try row.optional("damaged", in: table) else { return nil }
        return DamagedAdapter(
            shard: try row.value("shard", in: "shards"), adapter: adapter, lost: try row.value("lost", in: table),
            approximate: try row.value("was_approximate", in: table))
    }
}

/// A snapshot's forget requests, as they are read.
enum PendingReading {
    private static let select = """
        SELECT number, id, received, method, bridge, shard, waiting FROM forget_requests
        LEFT JOIN forget_shards ON request = number AND (waiting = 1 OR new_adapter IS NOT NULL)
        WHERE finished IS NULL
        """

    /// Oldest first, each with its number.
    static func all(_ db: Database) throws -> [(number: Int64, request: LedgerSnapshot.PendingForget)] {
        try pending(Row.fetchAll(db, sql: "\(select) ORDER BY number, shard"))
    }

    /// nil: it is finished, or there is none.
    static func one(_ number: Int64, _ db: Database) throws -> LedgerSnapshot.PendingForget? {
        try pending(Row.fetchAll(db, sql: "\(select) AND number = ? ORDER BY shard", arguments: [number])).first?
            .request
    }

    private static func pending(
        _ rows: [Row]
    ) throws -> [(number: Int64, request: LedgerSnapshot.PendingForget)] {
        var pending: [(number: Int64, request: LedgerSnapshot.PendingForget)] = []
        for row in rows {
            let number: Int64 = try row.value("number", in: "forget_requests")
            if number != pending.last?.number {
                let request = LedgerSnapshot.PendingForget(
                    id: try row.value("id", in: "forget_requests"),
                    received: try row.date("received", in: "forget_requests"), waitingFor: [],
                    method: try row.choice("method", in: "forget_requests"),
                    bridge: try row.optionalChoice("bridge", in: "forget_requests"))
                pending.append((number, request))
            }
            guard let shard: Int = try row.optional("shard", in: "forget_shards") else { continue }
            pending[pending.count - 1].request.retrained.append(shard)
            if try row.value("waiting", in: "forget_shards") {
                pending[pending.count - 1].request.waitingFor.append(shard)
            }
        }
        return pending
    }
}
