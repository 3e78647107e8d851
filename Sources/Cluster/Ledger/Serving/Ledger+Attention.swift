import Crypto
import Files
import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Reference prompts whose margin under the shard's adapter is missing, sorted by id among those of the people that
    /// come first.
    ///
    /// - Throws: `LedgerError.unknownAdapter` when no shard has it any more.
    package func referencePrompts(adapter name: String, limit: Int) throws -> [TrainingPrompt] {
        try read { db in
            guard let serial = try serials(ofAdapter: name, db).first else {
                throw LedgerError.unknownAdapter(name: name)
            }
            return try prompts(
                where: """
                    reference > 0 AND reference > COALESCE(
                        (SELECT prompts FROM margins WHERE margins.person = people.id AND margins.adapter = ?), 0)
                    """, [serial], limit: limit, db
            ) { known in
                let box = try margins(of: known.id, adapter: serial, known.key, db)
                return { $0.isReference && box?[$0.digest] == nil }
            }
        }
    }

    /// Prompts of the people that a condition names, as many people as it takes.
    ///
    /// - Parameter chosen: says which of a person's prompts.
    func prompts(
        where condition: String, _ arguments: StatementArguments, limit: Int, _ db: Database,
        chosen: (KnownPerson) throws -> (StoredPrompt) -> Bool
    ) throws -> [TrainingPrompt] {
        guard let context = try promptContext(db) else { return [] }
        let ids = try Int64.fetchCursor(
            db, sql: "SELECT id FROM people WHERE \(condition) ORDER BY id", arguments: arguments)
        var found: [TrainingPrompt] = []
        while found.count < limit, let id = try ids.next() {
            guard let known = try person(id, db) else { continue }
            let isChosen = try chosen(known)
            for prompt in try prompts(of: known, context) where isChosen(prompt) {
                places.note(prompt.digest, of: id)
                found.append(prompt.sample)
            }
        }
        return Array(found.prefix(limit)).sorted { $0.id < $1.id }
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
            let serials = try serials(ofAdapter: name, db)
            let references = try references(db).prompts
            let wasComplete = try hasRow(name, of: references, db)
            if !serials.isEmpty {
                let values = Dictionary(zip(digests, margins), uniquingKeysWith: { _, last in last })
                for (owner, prompts) in try owners(of: digests, in: .split(.validation), db) {
                    for serial in serials {
                        var box = try self.margins(of: owner.id, adapter: serial, owner.key, db) ?? PersonBox(width: 1)
                        let before = box.values.count
                        for prompt in prompts where prompt.isReference {
                            box.set([values[prompt.digest] ?? 0], of: prompt.digest)
                        }
                        try write(margins: box, before: before, of: owner.id, adapter: serial, owner.key, db)
                    }
                }
            }
            // One entry a row, not one a piece of it.
            if !wasComplete, try hasRow(name, of: references, db) {
                try audit(db, "margins", MarginDetail(adapter: name, prompts: references, shards: shards), at: time)
            }
        }
    }

    /// The people whose prompts have these digests, by number, each with those prompts.
    func owners(
        of digests: [String], in scope: PromptScope, _ db: Database
    ) throws -> [(owner: KnownPerson, prompts: [StoredPrompt])] {
        var owners: [Int64: (owner: KnownPerson, prompts: [StoredPrompt])] = [:]
        for found in try stored(digests, in: scope, db).compactMap(\.self) {
            owners[found.owner.id, default: (found.owner, [])].prompts.append(found.prompt)
        }
        return owners.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The reference prompts that have an embedding, and the rows of the adapters that have a margin for all of them.
    package func attentionTable() throws -> AttentionTable {
        let reading = AttentionReading()
        while true {
            if let parts = try goOn(with: reading, for: .seconds(60)) { return try parts.table() }
        }
    }

    /// Whether the table is of exactly the present adapters and reference prompts.
    package func isCurrent(_ table: AttentionTable) throws -> Bool {
        try read { try tuningBasis($0) } == Ledger.basis(of: table)
    }

    private static func basis(of table: AttentionTable) -> String {
        let entries = zip(table.ids, table.digests).map { ShardManifest.Entry(id: $0, digest: $1) }
        return basis(
            references: ShardManifest(entries: entries).digest, adapters: table.rows.map { ($0.shard, $0.adapter) })
    }

    /// - `table`: what it was chosen on: the tuning counts as current only while this is.
    package func store(
        tuning: SampleAdaptiveAttention.Parameters, chosenOn table: AttentionTable, at time: Date
    ) throws {
        let basis = Ledger.basis(of: table)
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

    /// Whether τ and n were chosen for exactly the present adapters, reference prompts and rule.
    func isTuned(_ db: Database) throws -> Bool {
        guard let row = try Row.fetchOne(db, sql: "SELECT basis, rule FROM tuning") else { return false }
        let (rule, basis): (String, String) = (
            try row.value("rule", in: "tuning"), try row.value("basis", in: "tuning")
        )
        return try rule == configuration.rule.rawValue && basis == tuningBasis(db)
    }

    /// Names what a tuning of now would rest on.
    ///
    /// - Parameter references: digest of the reference prompts; nil: to be read.
    func tuningBasis(_ db: Database, references: String? = nil) throws -> String {
        let references = try references ?? self.references(db).digest
        let adapters = try Row.fetchAll(db, sql: "SELECT shard, name FROM adapters ORDER BY shard")
            .map { row -> (Int, String) in
                (try row.value("shard", in: "adapters"), try row.value("name", in: "adapters"))
            }
        return Ledger.basis(references: references, adapters: adapters)
    }

    static func basis(references: String, adapters: [(Int, String)]) -> String {
        let text = references + "\n" + adapters.map { "\($0) \($1)\n" }.joined()
        return SHA256.hash(data: Data(text.utf8)).hexadecimal
    }

    /// Whether every shard's adapter of the name has a margin for each of so many prompts; false: no shard has it.
    private func hasRow(_ name: String, of prompts: Int, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT MIN(margins) >= ? FROM adapters WHERE name = ?", arguments: [prompts, name]) ?? false
    }

    private func serials(ofAdapter name: String, _ db: Database) throws -> [Int64] {
        try Int64.fetchAll(db, sql: "SELECT serial FROM adapters WHERE name = ? ORDER BY shard", arguments: [name])
    }

    private struct MarginDetail: Encodable {
        var adapter: String
        var prompts: Int
        var shards: [Int]
    }
}
