import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Which prompts a manifest covers.
    enum ManifestScope {
        case shard(Int)
        /// Every prompt of the split, whether it has a shard or not.
        case split(Split)
    }

    // MARK: manifests and training prompts

    /// - Throws: `LedgerError.unknownShard`.
    package func manifest(shard: Int) throws -> ShardManifest {
        try requireShard(shard)
        return try read { try manifest(of: .shard(shard), $0) }
    }

    /// All training prompts, for the comparison with one adapter.
    package func manifestOfAllTrainingPrompts() throws -> ShardManifest {
        try read { try manifest(of: .split(.train), $0) }
    }

    /// The shard's prompts sorted by id, as in its manifest.
    package func samples(shard: Int) throws -> [TrainingPrompt] {
        try requireShard(shard)
        return try read { db in
            try storedPrompts(
                where: "prompts.split = 'train' AND prompts.shard = ?", [shard], order: "prompts.name", db
            ).map(\.sample)
        }
    }

    /// All training prompts sorted by id, as in `manifestOfAllTrainingPrompts`.
    package func allTrainingSamples() throws -> [TrainingPrompt] {
        try read { db in
            try storedPrompts(where: "prompts.split = 'train'", [], order: "prompts.name", db).map(\.sample)
        }
    }

    /// The shard's prompts with these digests, in the order asked; digests that are no longer the shard's are left out.
    package func trainingPrompts(shard: Int, digests: [String]) throws -> [TrainingPrompt] {
        try requireShard(shard)
        return try read { db in
            let find = try db.makeStatement(
                sql: "SELECT name FROM prompts WHERE digest = ? AND split = 'train' AND shard = ?")
            let names = try digests.compactMap { try String.fetchOne(find, arguments: [$0, shard]) }
            return try storedPrompts(named: names, db).map(\.sample)
        }
    }

    /// Prompts of any split with these digests, in the order asked; digests that are gone are left out.
    package func samples(digests: [String]) throws -> [TrainingPrompt] {
        try read { db in
            let find = try db.makeStatement(sql: "SELECT name FROM prompts WHERE digest = ?")
            let names = try digests.compactMap { try String.fetchOne(find, arguments: [$0]) }
            return try storedPrompts(named: names, db).map(\.sample)
        }
    }

    func requireShard(_ shard: Int) throws {
        guard (0..<configuration.shards).contains(shard) else { throw LedgerError.unknownShard(shard) }
    }

    func manifest(of scope: ManifestScope, _ db: Database) throws -> ShardManifest {
        let (condition, arguments): (String, StatementArguments) =
            switch scope {
            case .shard(let shard): ("split = 'train' AND shard = ?", [shard])
            case .split(let split): ("split = ?", [split.rawValue])
            }
        let statement = try db.cachedStatement(
            sql: "SELECT name, digest FROM prompts WHERE \(condition) ORDER BY name")
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        var entries: [ShardManifest.Entry] = []
        while let row = try rows.next() {
            entries.append(
                ShardManifest.Entry(
                    id: try row.value("name", in: "prompts"), digest: try row.value("digest", in: "prompts")))
        }
        return ShardManifest(entries: entries)
    }

    // MARK: prompts, people, catalogue

    /// nil before the first import.
    package func promptConfiguration() throws -> PromptConfiguration? {
        try read { try Meta.promptConfiguration.value(PromptConfiguration.self, $0) }
    }

    /// By the user's first appearance, then by time: under tallrec the benchmark's order.
    package func prompts(split: Split) throws -> [StoredPrompt] {
        try read { db in
            try storedPrompts(
                where: "prompts.split = ?", [split.rawValue],
                order: "users.ordinal, interactions.timestamp, interactions.ordinal, interactions.id", db)
        }
    }

    package func hasUser(_ user: String) throws -> Bool {
        try read { db in
            try !spellings(of: user.normalised, in: "users", db).isEmpty
        }
    }

    /// By time, then by order in the file.
    ///
    /// - Throws: `LedgerError.unknownUser`.
    package func history(user: String) throws -> [Interaction] {
        try read { db in
            // Whom earlier releases kept under several spellings is asked about under the first.
            guard let known = try spellings(of: user.normalised, in: "users", db).first,
                let record = try UserRecord(db, user: known.id)
            else { throw LedgerError.unknownUser(user) }
            return record.interactions
        }
    }

    /// The catalogue, sorted by id.
    package func items() throws -> [Item] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT token, title FROM items WHERE title IS NOT NULL ORDER BY token")
                .map { Item(id: try $0.value("token", in: "items"), title: try $0.value("title", in: "items")) }
        }
    }

    /// nil: not in the catalogue.
    package func title(item: String) throws -> String? {
        try read { db in
            guard let known = try spellings(of: item.normalised, in: "items", db).first else { return nil }
            return try String.fetchOne(db, sql: "SELECT title FROM items WHERE id = ?", arguments: [known.id])
        }
    }

    /// In the order of the names.
    func storedPrompts(named names: [String], _ db: Database) throws -> [StoredPrompt] {
        let find = try db.makeStatement(
            sql: "SELECT id AS prompt, user, name, digest, shard FROM prompts WHERE name = ?")
        return try render(names.compactMap { try Row.fetchOne(find, arguments: [$0]) }, db)
    }

    private func storedPrompts(
        where condition: String, _ arguments: StatementArguments, order: String, _ db: Database
    ) throws -> [StoredPrompt] {
        try render(
            Row.fetchAll(
                db,
                sql: """
                    SELECT prompts.id AS prompt, prompts.user, prompts.name, prompts.digest, prompts.shard
                    FROM prompts JOIN users ON users.id = prompts.user
                    JOIN interactions ON interactions.id = prompts.target
                    WHERE \(condition) ORDER BY \(order)
                    """, arguments: arguments), db)
    }

    /// Makes the prompts' texts from the rows, user by user, and checks them against the recorded digests.
    private func render(_ rows: [Row], _ db: Database) throws -> [StoredPrompt] {
        guard !rows.isEmpty else { return [] }
        guard let recorded = try Meta.promptConfiguration.value(PromptConfiguration.self, db) else {
            throw LedgerError.corrupt(path: database.path, reason: "there are prompts but no prompt configuration")
        }
        let builder = try PromptBuilder(configuration: recorded)
        var positions: [Int64: [Int]] = [:]
        for (position, row) in rows.enumerated() {
            positions[try row.value("user", in: "prompts"), default: []].append(position)
        }
        var result: [StoredPrompt?] = Array(repeating: nil, count: rows.count)
        for (user, places) in positions {
            let built = try UserRecord(db, user: user)?.prompts(builder) ?? []
            let byName = Dictionary(built.map { ($0.prompt.id, $0) }, uniquingKeysWith: { first, _ in first })
            for place in places {
                let row = rows[place]
                guard let new = byName[try row.value("name", in: "prompts")],
                    try new.digest == row.value("digest", in: "prompts")
                else { continue }
                result[place] = StoredPrompt(
                    prompt: new.prompt, digest: new.digest, shard: try row.optional("shard", in: "prompts"))
            }
        }
        let complete = result.compactMap { $0 }
        guard complete.count == rows.count else {
            throw LedgerError.corrupt(path: database.path, reason: "prompts do not follow from the recorded rows")
        }
        return complete
    }
}
