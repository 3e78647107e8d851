import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// What a forget request did to one prompt that an adapter was trained on, or that came after.
struct CorrectionChange: Codable, Equatable {
    var name: String
    /// As it was before this request; nil: it was not in the shard.
    var old: TrainingPrompt?
    /// As it is now; nil: it left the shard.
    var new: TrainingPrompt?
    /// Share of the prompt's history that was forgotten; 1 where the prompt is gone.
    var forgotten: Double
}

/// Changes of the shards whose adapter is to be corrected, on their way into the ledger.
struct CorrectionChanges {
    private var waiting: [Int: [CorrectionChange]] = [:]
    private var count = 0
    /// Written as one, at most.
    private static let limit = 1024

    /// Notes the person's, and marks in the record what the original saw of prompts that are gone: so will the corrected
    /// adapter have.
    mutating func add(_ forgetting: inout PersonForgetting, _ ledger: Ledger, _ db: Database) throws {
        let touched = forgetting.shards
        guard !touched.isEmpty else { return }
        let corrected = try Set(ledger.correctedShards(db)).intersection(touched)
        guard !corrected.isEmpty else { return }
        let epochs = try ledger.epochsOfAll(db)
        try forgetting.change.rememberSeen(try ledger.catalogue(db)) {
            corrected.contains($0) ? epochs[$0] : nil
        }
        let difference = forgetting.change.difference
        for prompt in difference.deleted { note(prompt, nil, 1, corrected) }
        for change in difference.rebuilt { note(change.old, change.new, change.forgottenShare, corrected) }
        for prompt in difference.added { note(nil, prompt, 0, corrected) }
        if count >= Self.limit { try flush(ledger, db) }
    }

    private mutating func note(
        _ old: StoredPrompt?, _ new: StoredPrompt?, _ share: Double, _ corrected: Set<Int>
    ) {
        let places = (old?.trainingShard, new?.trainingShard)
        for shard in Set([places.0, places.1].compactMap(\.self)).sorted() where corrected.contains(shard) {
            waiting[shard, default: []].append(
                CorrectionChange(
                    name: old?.id ?? new?.id ?? "", old: places.0 == shard ? old?.sample : nil,
                    new: places.1 == shard ? new?.sample : nil, forgotten: places.0 == shard ? share : 0))
            count += 1
        }
    }

    mutating func flush(_ ledger: Ledger, _ db: Database) throws {
        for (shard, changes) in waiting.sorted(by: { $0.key < $1.key }) {
            try ledger.keep(changes, shard: shard, db)
        }
        (waiting, count) = ([:], 0)
    }
}

extension StoredPrompt {
    var trainingShard: Int? { prompt.split == .train ? shard : nil }
}

extension Ledger {
    private static let changesContext = "changes"

    func keep(_ changes: [CorrectionChange], shard: Int, _ db: Database) throws {
        guard let key = try changesReference(shard: shard, db).flatMap(livingKey) else { return }
        try db.execute(
            sql: "INSERT INTO correction_changes (shard, body) VALUES (?, ?)",
            arguments: [
                shard, try Self.sealed(JSONEncoder.stable.encode(changes), key, Self.changesContext),
            ])
    }

    func changesReference(shard: Int, _ db: Database) throws -> KeyReference? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT changes_slot AS slot, changes_key AS key FROM corrections
                WHERE shard = ? AND changes_slot IS NOT NULL
                """, arguments: [shard])
        return try row.map { try KeyReference(row: $0, in: "corrections") }
    }

    /// What became since the original's training of the prompts that requests touched, by name: the first old version, which
    /// is the one that was trained on, and the last new one.
    func correctionChanges(shard: Int, _ db: Database) throws -> [CorrectionChange] {
        let bodies = try Data.fetchAll(
            db, sql: "SELECT body FROM correction_changes WHERE shard = ? ORDER BY number", arguments: [shard])
        guard !bodies.isEmpty else { return [] }
        guard let key = try changesReference(shard: shard, db).flatMap(livingKey) else {
            throw LedgerError.corrupt(table: "corrections", column: "changes_key", reason: "is lost")
        }
        var merged: [String: CorrectionChange] = [:]
        for body in bodies {
            guard let bytes = try? SealedBytes.open(body, key: key, context: Self.changesContext),
                let changes = try? JSONDecoder().decode([CorrectionChange].self, from: Data(bytes))
            else { throw LedgerError.corrupt(table: "correction_changes", column: "body", reason: "does not open") }
            for change in changes {
                guard let first = merged[change.name] else {
                    merged[change.name] = change
                    continue
                }
                merged[change.name] = CorrectionChange(
                    name: change.name, old: first.old, new: change.new,
                    forgotten: min(1, first.forgotten + change.forgotten))
            }
        }
        return merged.values.filter { $0.old != $0.new }.sorted { $0.name < $1.name }
    }
}
