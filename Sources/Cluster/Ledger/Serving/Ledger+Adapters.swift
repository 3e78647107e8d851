import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Makes an adapter the shard's own: writes its file, then commits; the file it replaces is deleted afterwards.
    /// Publishing the shard's present adapter again changes nothing; where a stage answers, a training that came to the very same
    /// bytes takes its place all the same. A corrected adapter (`report.correction`) is taken
    /// only while exactly that correction is pending; with it goes what was kept for the correction.
    ///
    /// - `bytes`: PEFT safetensors.
    /// - `trainer`: the worker that made it; nil: not known.
    /// - `contentName`: the content name of the bytes; throws when they are no finite adapter of this cluster.
    /// - Returns: the content name.
    /// - Throws: `LedgerError.staleAdapter`, `.correctionSuperseded`, `.invalidAdapter` (what `contentName` throws, as text;
    ///   the adapter that a forget request took away), `.diskFull`.
    @discardableResult
    package func publish(
        shard: Int, bytes: [UInt8], report: TrainingReport, trainer: String? = nil, at time: Date,
        contentName: ([UInt8]) throws -> String
    ) throws -> String {
        try requireShard(shard)
        // They are on record for themselves.
        let said = report.slices?.stages
        var report = report
        report.slices?.stages = nil
        let manifest = report.manifest
        let prompts = try read { try requirePublishable(shard: shard, report, $0) }
        guard report.prompts == prompts else {
            throw LedgerError.invalidAdapter(
                reason: "it was trained on \(report.prompts) prompts, but the manifest has \(prompts)")
        }
        guard report.specification == configuration.training else {
            throw LedgerError.invalidAdapter(reason: "it was trained with another specification than this cluster's")
        }
        let name: String
        do {
            name = try contentName(bytes)
        } catch {
            throw LedgerError.invalidAdapter(reason: "\(error)")
        }
        guard (1...128).contains(name.utf8.count), name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) })
        else {
            throw LedgerError.invalidAdapter(reason: "its content name is not usable as a file name")
        }
        guard report.adapter == name else {
            throw LedgerError.invalidAdapter(reason: "its report names another adapter")
        }
        try refuseDropped(name, shard: shard, manifest: manifest, trainer: trainer, at: time)
        // What stands in a report comes from outside; JSON has no numbers that are not finite.
        guard (try? JSONEncoder.stable.encode(report)) != nil else {
            throw LedgerError.invalidAdapter(reason: "its report holds numbers that are not finite")
        }
        let present = try adapters().first { $0.shard == shard }
        if present?.name == name && present?.manifest == manifest
            && present?.report.isExact == report.isExact && present?.report.isStage == report.isStage
        {
            return name
        }

        do {
            try commit { db in
                _ = try requirePublishable(shard: shard, report, db)
                let key = try fileKey(name, db)
                try write(bytes, name: name, key: key.key)
                if report.isStage {
                    // Whoever waits goes on waiting for the training.
                    try recordServing(of: report, shard: shard, at: time, db)
                } else if let correction = report.correction {
                    try takeCorrection(shard: shard, adapter: name, correction, db)
                } else {
                    try dropCorrection(shard: shard, db)
                }
                try record(
                    AdapterRecord(shard: shard, report: report, created: time, trainer: trainer),
                    key: key.reference, db)
                var stages: [StageReport]?
                if !report.isStage {
                    try settle(shard: shard, manifest: manifest, report, db)
                    if report.isExact {
                        try noteLearned(shard: shard, adapter: name, db)
                        stages = try record(
                            said, from: report.slices?.first ?? 1, shard: shard, trainer: trainer, db)
                    }
                }
                let detail = PublishDetail(
                    shard: shard, adapter: name, manifest: manifest, prompts: prompts,
                    approximation: report.correction.map(Certificate.Correction.init),
                    original: report.correction?.provenance.original, stage: report.slices?.stage, stages: stages)
                try audit(db, "publish", detail, at: time)
            }
        } catch {
            try? deleteUnnamedAdapterFiles()
            throw error
        }
        // What is not deleted now is deleted when the ledger is next opened; nobody loads a file that it does not name.
        try? deleteUnnamedAdapterFiles()
        return name
    }

    /// An adapter that a forget request took away never comes back, whoever sends it. Only where the shard's prompts are
    /// still the same, byte for byte, or those of them that are not held out, does training them give the same bytes again.
    private func refuseDropped(
        _ name: String, shard: Int, manifest: String, trainer: String?, at time: Date
    ) throws {
        guard try read({ try wasDropped(name, shard: shard, manifest: manifest, $0) }) else { return }
        try commit { db in
            let detail = RefusedDetail(shard: shard, adapter: name, manifest: manifest, worker: trainer)
            try audit(db, "refuse adapter", detail, at: time)
        }
        throw LedgerError.invalidAdapter(reason: "it is an adapter that a forget request took away")
    }

    /// The adapters that may answer, by shard. Quarantined ones are not among them.
    package func adapters() throws -> [AdapterRecord] { try read(AdapterRecord.all) }

    /// Returns how many prompts the report's manifest has.
    private func requirePublishable(shard: Int, _ report: TrainingReport, _ db: Database) throws -> Int {
        try report.slices?.stage.map { try requireStage(shard: shard, slice: $0, manifest: report.manifest, db) }
            ?? requireCurrent(shard: shard, manifest: report.manifest, db)
    }

    /// Returns how many prompts the manifest has.
    private func requireCurrent(shard: Int, manifest: String, _ db: Database) throws -> Int {
        let row = try Row.fetchOne(db, sql: "SELECT manifest, prompts FROM shards WHERE shard = ?", arguments: [shard])
        guard let row else { throw LedgerError.unknownShard(shard) }
        let current: String = try row.value("manifest", in: "shards")
        guard current == manifest else {
            throw LedgerError.staleAdapter(shard: shard, trained: manifest, current: current)
        }
        let prompts = try row.count("prompts", in: "shards")
        guard prompts > 0 else {
            throw LedgerError.invalidAdapter(reason: "shard \(shard) is empty and needs no adapter")
        }
        return prompts
    }

    private func record(_ adapter: AdapterRecord, key: KeyReference, _ db: Database) throws {
        // Its margins go with the one that is replaced, and so does what only that one saw.
        // A corrected adapter has seen what its original saw.
        try dropAdapter(shard: adapter.shard, keeping: key, voidsSeen: adapter.report.isExact, db)
        let serial = try (Meta.lastAdapter.value(Int64.self, db) ?? 0).next("value", in: "meta")
        try Meta.lastAdapter.set(serial, db)
        try db.execute(
            sql: """
                INSERT INTO adapters (shard, name, manifest, prompts, specification, method, created, report, trainer,
                slot, key, serial) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                adapter.shard, adapter.name, adapter.manifest, adapter.prompts,
                try digest(of: adapter.report.specification), adapter.report.method.rawValue,
                adapter.created.milliseconds, try JSONEncoder.stable.text(adapter.report), adapter.trainer,
                key.slot, key.id, serial,
            ])
        // A correction that ended by the very same adapter had given it up.
        keyChanges.obsolete.removeAll { $0 == key }
        try db.execute(sql: "UPDATE shards SET quarantined = NULL WHERE shard = ?", arguments: [adapter.shard])
        try db.execute(sql: "DELETE FROM damaged_adapters WHERE shard = ?", arguments: [adapter.shard])
        guard adapter.report.isExact, !adapter.report.isStage else { return }
        // An adapter that was trained before stays the base of estimates until a longer training says better. They are of whole
        // trainings: what came out of a stage is in the tokens, and not in the seconds.
        let report = adapter.report
        var seconds = report.seconds
        if let slices = report.slices {
            guard slices.tokens > 0 else { return }
            seconds *= Double(report.tokens) / Double(slices.tokens)
        }
        try db.execute(
            sql: """
                UPDATE shards SET trained_prompts = ?, trained_tokens = ?, trained_seconds = ?
                WHERE shard = ?
                """,
            arguments: [adapter.prompts, report.tokens, seconds, adapter.shard])
    }

    /// Deletes what lies among the adapters and is not named in the ledger. One that is to be corrected is.
    func deleteUnnamedAdapterFiles() throws {
        let names = try read {
            try String.fetchAll($0, sql: "SELECT name FROM adapters UNION SELECT original FROM corrections")
        }
        try LedgerFiles.keepOnly(Set(names.map(AdapterFile.fileName)), in: adapterDirectory)
    }

    private struct RefusedDetail: Encodable {
        var shard: Int
        var adapter: String
        var manifest: String
        var worker: String?
    }

    private struct PublishDetail: Encodable {
        var shard: Int
        var adapter: String
        var manifest: String
        var prompts: Int
        /// nil: trained.
        var approximation: Certificate.Correction?
        /// What was corrected.
        var original: String?
        /// The last slice that a stage was trained on.
        var stage: Int?
        /// What a training in slices passed.
        var stages: [StageReport]?
    }
}

extension AdapterRecord {
    /// By shard.
    static func all(_ db: Database) throws -> [AdapterRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM adapters ORDER BY shard").map { row in
            let record = AdapterRecord(
                shard: try row.value("shard", in: "adapters"), report: try row.json("report", in: "adapters"),
                created: try row.date("created", in: "adapters"),
                trainer: try row.optional("trainer", in: "adapters"))
            guard try record.name == row.value("name", in: "adapters"),
                try record.manifest == row.value("manifest", in: "adapters"), record.prompts > 0
            else {
                throw LedgerError.corrupt(table: "adapters", column: "report", reason: "is another adapter's")
            }
            return record
        }
    }
}
