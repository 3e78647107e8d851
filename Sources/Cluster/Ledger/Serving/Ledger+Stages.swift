import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// The last that was read of what a shard's stages are of.
struct KnownStageData {
    struct Subject: Equatable {
        var shard: Int
        /// Of the shard.
        var manifest: String
        /// After how many transactions: people may be in other slices under the same manifest.
        var commits: Int
    }

    var subject: Subject
    /// Of the slices up to each, the first one first.
    var slices: [StageData]
}

/// Stages that answer for a shard between a forget request and the training that it waits for.
extension Ledger {
    /// Checks that a stage may answer: a request waits for the shard's training, nothing else answers for it or is to be
    /// corrected, and the stage's manifest is that of the first slices of what the shard holds now, and of nothing more. Where the
    /// other slices are empty, the training is as good as done.
    ///
    /// - Returns: how many prompts these slices have.
    /// - Throws: `LedgerError.staleAdapter`, `.invalidAdapter`.
    func requireStage(shard: Int, slice: Int, manifest: String, _ db: Database) throws -> Int {
        guard configuration.whileRetraining == .stage else {
            throw LedgerError.invalidAdapter(reason: "nothing answers for a shard that is trained again")
        }
        let state = try shardState(shard, db)
        guard try isAwaited(shard: shard, db), state.adapter == nil, state.correction == nil,
            manifest != state.manifest
        else {
            throw LedgerError.staleAdapter(shard: shard, trained: manifest, current: state.manifest)
        }
        guard (1..<configuration.training.slices).contains(slice) else {
            throw LedgerError.invalidAdapter(reason: "there is no stage after slice \(slice)")
        }
        let data = try stageData(shard: shard, manifest: state.manifest, db)[slice - 1]
        guard data.prompts > 0, data.manifest == manifest else {
            throw LedgerError.staleAdapter(shard: shard, trained: manifest, current: data.manifest)
        }
        return data.prompts
    }

    /// What the shard's stages are of, by slice. Everybody in the shard is read for it: once for a stage that is looked at before its
    /// transaction and in it, and that is tried again while the disk is full.
    private func stageData(shard: Int, manifest: String, _ db: Database) throws -> [StageData] {
        let subject = KnownStageData.Subject(shard: shard, manifest: manifest, commits: commits)
        // What a transaction that is under way wrote may yet be taken back.
        if transaction == nil, let known = knownStageData, known.subject == subject { return known.slices }
        let dealing = SliceDealing(configuration.training)
        var slices = [(sum: ManifestDigest, count: Int)](
            repeating: (ManifestDigest(), 0), count: configuration.training.slices)
        do {
            try forEachPrompt(of: .shard(shard), db) { _, prompt in
                let place = try dealing.slice(of: prompt.sample) - 1
                guard slices.indices.contains(place) else { return }
                slices[place].sum.add(ManifestDigest.Entry(id: prompt.prompt.id, digest: prompt.digest))
                slices[place].count += 1
            }
        } catch let error as UnlearningError {
            throw LedgerError.invalidAdapter(reason: "\(error)")
        }
        var (sum, count) = (ManifestDigest(), 0)
        let data = slices.map { slice in
            sum.add(slice.sum)
            count += slice.count
            return StageData(manifest: sum.hexadecimal, prompts: count)
        }
        knownStageData = transaction == nil ? KnownStageData(subject: subject, slices: data) : nil
        return data
    }

    /// Whether a forget request waits for the shard.
    package func isAwaited(shard: Int) throws -> Bool { try read { try isAwaited(shard: shard, $0) } }

    private func isAwaited(shard: Int, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM forget_shards WHERE shard = ? AND waiting = 1)", arguments: [shard])
            ?? false
    }

    /// Takes a stage away that a training could not go on from: nothing answers for its shard until that is trained, or a
    /// stage is handed in again. Nothing happens when it is not the shard's adapter any more.
    ///
    /// - `adapter`: its content name.
    package func withdrawStage(shard: Int, adapter: String, at time: Date) throws {
        try requireShard(shard)
        try commit { db in
            let record = try AdapterRecord.all(db).first { $0.shard == shard }
            let isServed = record?.name == adapter && record?.report.isStage == true
            guard isServed else { return }
            try withdraw(WithdrawDetail(shard: shard, adapter: adapter), at: time, db)
        }
        try? deleteUnnamedAdapterFiles()
    }

    /// What answers for shards from before a start after which nothing is to.
    func withdrawStagesUnderQuarantine(at time: Date) throws {
        guard configuration.whileRetraining == .quarantine else { return }
        let stages = try adapters().filter(\.report.isStage)
        guard !stages.isEmpty else { return }
        try commit { db in
            for stage in stages {
                try withdraw(
                    WithdrawDetail(shard: stage.shard, adapter: stage.name, policy: .quarantine), at: time, db)
            }
        }
    }

    private func withdraw(_ detail: WithdrawDetail, at time: Date, _ db: Database) throws {
        try dropAdapter(shard: detail.shard, db)
        try db.execute(
            sql: "UPDATE shards SET quarantined = COALESCE(quarantined, ?) WHERE shard = ?",
            arguments: [time.milliseconds, detail.shard])
        try audit(db, "withdraw", detail, at: time)
    }

    private struct WithdrawDetail: Encodable {
        var shard: Int
        var adapter: String
        /// Why, where it was not its worker that took it back.
        var policy: ClusterConfiguration.WhileRetraining?
    }

    /// The certificates of all requests that wait for the shard will name the stage.
    func recordServing(of report: TrainingReport, shard: Int, at time: Date, _ db: Database) throws {
        guard let slices = report.slices, let slice = slices.stage else { return }
        let served = Certificate.ServedStage(
            adapter: report.adapter, manifest: report.manifest, slice: slice, slices: slices.count,
            since: time.stored.iso8601)
        let rows = try Row.fetchAll(
            db, sql: "SELECT request, meanwhile FROM forget_shards WHERE shard = ? AND waiting = 1 ORDER BY request",
            arguments: [shard])
        for row in rows {
            let request: Int64 = try row.value("request", in: "forget_shards")
            var stages: [Certificate.ServedStage] = try row.optionalJSON("meanwhile", in: "forget_shards") ?? []
            // One that is taken away with each further request for the shard comes again and again.
            guard !stages.contains(where: { $0.adapter == served.adapter && $0.manifest == served.manifest }) else {
                continue
            }
            stages.append(served)
            try db.execute(
                sql: "UPDATE forget_shards SET meanwhile = ? WHERE request = ? AND shard = ?",
                arguments: [try JSONEncoder.stable.text(stages), request, shard])
        }
    }
}
