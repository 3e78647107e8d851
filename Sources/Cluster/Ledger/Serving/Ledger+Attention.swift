import Crypto
import Files
import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Validation prompts whose margin under the shard's adapter is missing, sorted by id.
    ///
    /// - Throws: `LedgerError.unknownAdapter` when no shard has it any more.
    package func referencePrompts(adapter name: String, limit: Int) throws -> [TrainingPrompt] {
        try read { db in
            guard let shard = try self.shard(withAdapter: name, db) else {
                throw LedgerError.unknownAdapter(name: name)
            }
            let names = try String.fetchAll(
                db,
                sql: """
                    SELECT name FROM prompts WHERE split = 'validation' AND NOT EXISTS (
                        SELECT 1 FROM margins WHERE margins.shard = ? AND margins.prompt = prompts.id
                    ) ORDER BY name LIMIT ?
                    """, arguments: [shard, limit])
            return try storedPrompts(named: names, db).map(\.sample)
        }
    }

    /// Margins of an adapter that is gone, or of prompts that are, are ignored.
    ///
    /// - Throws: `LedgerError.notFinite`.
    package func store(margins: [Float], of digests: [String], adapter name: String, at time: Date) throws {
        guard margins.count == digests.count, margins.allSatisfy(\.isFinite) else {
            throw LedgerError.notFinite(what: "a margin of adapter \(name)")
        }
        try commit { db in
            let shards = try Int.fetchAll(
                db, sql: "SELECT shard FROM adapters WHERE name = ? ORDER BY shard", arguments: [name])
            let insert = try db.makeStatement(
                sql: """
                    INSERT OR REPLACE INTO margins (shard, prompt, margin)
                    SELECT ?, id, ? FROM prompts WHERE digest = ? AND split = 'validation'
                    """)
            for shard in shards {
                for (margin, digest) in zip(margins, digests) {
                    try insert.execute(arguments: [shard, Double(margin), digest])
                }
            }
            try audit(db, "margins", MarginDetail(adapter: name, prompts: digests.count, shards: shards), at: time)
        }
    }

    /// The validation prompts that have an embedding, and the rows of the adapters that have a margin for all of them.
    package func attentionTable() throws -> AttentionTable {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT prompts.id, name, digest, label, vector FROM prompts
                    JOIN embeddings ON embeddings.prompt = prompts.id WHERE split = 'validation' ORDER BY name
                    """)
            let (embeddings, width) = try rows.vectors("vector", in: "embeddings")
            var table = AttentionTable(
                digests: try rows.map { try $0.value("digest", in: "prompts") },
                ids: try rows.map { try $0.value("name", in: "prompts") },
                labels: try rows.map { try $0.value("label", in: "prompts") },
                embeddings: embeddings, dimension: width, rows: [])
            for adapter in try Row.fetchAll(db, sql: "SELECT shard, name FROM adapters ORDER BY shard") {
                let shard: Int = try adapter.value("shard", in: "adapters")
                let margins = try Double.fetchAll(
                    db,
                    sql: """
                        SELECT margin FROM prompts JOIN embeddings ON embeddings.prompt = prompts.id
                        JOIN margins ON margins.prompt = prompts.id AND margins.shard = ?
                        WHERE split = 'validation' ORDER BY name
                        """, arguments: [shard])
                guard margins.count == rows.count else { continue }
                table.rows.append(
                    AttentionTable.Row(
                        shard: shard, adapter: try adapter.value("name", in: "adapters"),
                        margins: margins.map { Float($0) }))
            }
            return table
        }
    }

    /// - `table`: what it was chosen on: the tuning counts as current only while this is.
    package func store(
        tuning: SampleAdaptiveAttention.Parameters, chosenOn table: AttentionTable, at time: Date
    ) throws {
        let entries = zip(table.ids, table.digests).map { ShardManifest.Entry(id: $0, digest: $1) }
        let basis = Ledger.basis(
            validation: ShardManifest(entries: entries).digest, adapters: table.rows.map { ($0.shard, $0.adapter) })
        try commit { db in
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO tuning (id, tau, neighbours, rule, embedding, basis, time)
                    VALUES (1, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    tuning.tau, tuning.neighbours, configuration.rule.rawValue,
                    try JSONEncoder.stable.text(configuration.embedding), basis, time.milliseconds,
                ])
            try audit(db, "tuning", tuning, at: time)
        }
    }

    /// nil: never tuned, or tuned on data that was forgotten since.
    package func tuning() throws -> StoredTuning? {
        try read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM tuning") else { return nil }
            return StoredTuning(
                parameters: SampleAdaptiveAttention.Parameters(
                    tau: try row.value("tau", in: "tuning"), neighbours: try row.count("neighbours", in: "tuning")),
                rule: try row.choice("rule", in: "tuning"), embedding: try row.json("embedding", in: "tuning"),
                isCurrent: try isTuned(db))
        }
    }

    /// Whether τ and n were chosen for exactly the present adapters, validation prompts and rule.
    func isTuned(_ db: Database) throws -> Bool {
        guard let row = try Row.fetchOne(db, sql: "SELECT basis, rule FROM tuning") else { return false }
        let validation = try String.fetchOne(db, sql: "SELECT digest FROM splits WHERE split = 'validation'")
        let adapters = try Row.fetchAll(db, sql: "SELECT shard, name FROM adapters ORDER BY shard")
            .map { row -> (Int, String) in
                (try row.value("shard", in: "adapters"), try row.value("name", in: "adapters"))
            }
        let (rule, basis): (String, String) = (
            try row.value("rule", in: "tuning"), try row.value("basis", in: "tuning")
        )
        return rule == configuration.rule.rawValue
            && basis == Ledger.basis(validation: validation ?? "", adapters: adapters)
    }

    private static func basis(validation: String, adapters: [(Int, String)]) -> String {
        let text = validation + "\n" + adapters.map { "\($0) \($1)\n" }.joined()
        return SHA256.hash(data: Data(text.utf8)).hexadecimal
    }

    private func shard(withAdapter name: String, _ db: Database) throws -> Int? {
        try Int.fetchOne(
            db, sql: "SELECT shard FROM adapters WHERE name = ? ORDER BY shard LIMIT 1", arguments: [name])
    }

    private struct MarginDetail: Encodable {
        var adapter: String
        var prompts: Int
        var shards: [Int]
    }
}
