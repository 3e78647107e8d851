import GRDB
import Messages
import Recommendation
import Unlearning

/// Which stages the trainings of shards passed: names and digests, as they were reported when their adapters were published. They
/// are made of people's data; so what a forget request touches goes in its transaction.
extension Ledger {
    /// - Returns: by shard and slice.
    package func stages() throws -> [Int: [RecordedStage]] {
        try read { db in
            var stages: [Int: [RecordedStage]] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT * FROM stages ORDER BY shard, slice") {
                let (shard, stage) = try Self.stage(row)
                stages[shard, default: []].append(stage)
            }
            return stages
        }
    }

    /// The digest of the shard's stage of this name; nil: it is not on record.
    package func stageDigest(shard: Int, name: String) throws -> String? {
        try read { db in
            try Row.fetchOne(
                db, sql: "SELECT digest FROM stages WHERE shard = ? AND name = ?", arguments: [shard, name]
            )?.optional("digest", in: "stages")
        }
    }

    /// Takes what a training says in the place of what was on record; digests of stages that it began behind stay with them, and so
    /// does who made a stage, where others say the same of it.
    ///
    /// - `stages`: nil: of a training that does not say; nothing is known of its stages then.
    /// - `first`: the slice that the training began with.
    /// - Returns: what is on record now.
    func record(
        _ stages: [StageReport]?, from first: Int, shard: Int, trainer: String?, _ db: Database
    ) throws -> [StageReport]? {
        let known = try recordedStages(shard: shard, db)
        try dropStages(shard: shard, db)
        return try stages?.map { said in
            var record = RecordedStage(report: said, worker: said.digest == nil ? nil : trainer)
            if let before = known.first(where: { $0.report.name == said.name }), before.report.digest != nil,
                said.digest == nil || said.digest == before.report.digest || said.slice < first - 1
            {
                record = before
            }
            try db.execute(
                sql: "INSERT INTO stages (shard, slice, name, digest, bytes, worker) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    shard, said.slice, said.name, record.report.digest, record.report.bytes, record.worker,
                ])
            return StageReport(
                slice: said.slice, name: said.name, digest: record.report.digest, bytes: record.report.bytes)
        }
    }

    /// Of one shard, by slice.
    func recordedStages(shard: Int, _ db: Database) throws -> [RecordedStage] {
        try Row.fetchAll(db, sql: "SELECT * FROM stages WHERE shard = ? ORDER BY slice", arguments: [shard])
            .map { try Self.stage($0).stage }
    }

    /// - Parameter slice: stages after it and after later ones go.
    func dropStages(shard: Int, from slice: Int = 1, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM stages WHERE shard = ? AND slice >= ?", arguments: [shard, slice])
    }

    private static func stage(_ row: Row) throws -> (shard: Int, stage: RecordedStage) {
        let table = "stages"
        return (
            try row.count("shard", in: table),
            RecordedStage(
                report: StageReport(
                    slice: try row.count("slice", in: table), name: try row.value("name", in: table),
                    digest: try row.optional("digest", in: table), bytes: try row.optional("bytes", in: table)),
                worker: try row.optional("worker", in: table))
        )
    }
}
