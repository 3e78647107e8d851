import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// One user's rows, with what prompts need beside them.
struct UserRecord {
    var id: Int64
    var token: String
    /// Under the partition by user.
    var shard: Int?
    var interactions: [Interaction]
    var ids: [InteractionKey: Int64]
    var titles: [String: String]
    /// Of the targets whose split was recorded at import.
    var splits: [InteractionKey: Split]

    init?(_ db: Database, user id: Int64) throws {
        let user = try db.cachedStatement(sql: "SELECT token, shard FROM users WHERE id = ?")
        guard let row = try Row.fetchOne(user, arguments: [id]) else { return nil }
        self.id = id
        token = try row.value("token", in: "users")
        shard = try row.optional("shard", in: "users")
        interactions = []
        ids = [:]
        titles = [:]
        splits = [:]
        let statement = try db.cachedStatement(
            sql: """
                SELECT i.id, items.token AS item, items.title, i.timestamp, i.rating, i.ordinal, i.split
                FROM interactions i JOIN items ON items.id = i.item
                WHERE i.user = ? ORDER BY i.timestamp, i.ordinal, i.id
                """)
        let rows = try Row.fetchCursor(statement, arguments: [id])
        while let row = try rows.next() {
            let item: String = try row.value("item", in: "items")
            let interaction = Interaction(
                user: token, item: item, timestamp: try row.value("timestamp", in: "interactions"),
                rating: try row.value("rating", in: "interactions"),
                ordinal: try row.value("ordinal", in: "interactions"))
            interactions.append(interaction)
            ids[interaction.key] = try row.value("id", in: "interactions")
            if let title: String = try row.optional("title", in: "items") { titles[item] = title }
            if let split: Split = try row.optionalChoice("split", in: "interactions") {
                splits[interaction.key] = split
            }
        }
    }

    /// The user's prompts, as the rows that are left imply them.
    func prompts(_ builder: PromptBuilder, without removed: Set<Int64> = []) throws -> [BuiltPrompt] {
        let retained = removed.isEmpty ? interactions : interactions.filter { !removed.contains(ids[$0.key] ?? 0) }
        let prompts = builder.prompts(user: token, interactions: retained, titles: { titles[$0] }, splits: splits)
        return try prompts.map { prompt in
            BuiltPrompt(
                prompt: prompt, digest: TrainingPrompt(prompt).digest, target: try rowID(prompt.target),
                history: try prompt.history.map(rowID))
        }
    }

    private func rowID(_ key: InteractionKey) throws -> Int64 {
        guard let id = ids[key] else {
            throw LedgerError.corrupt(path: "ledger.sqlite", reason: "a prompt refers to a row that is not there")
        }
        return id
    }
}

/// A prompt as it should be, with its lineage as rows.
struct BuiltPrompt: PromptVersion {
    var prompt: Prompt
    var digest: String
    var target: Int64
    var history: [Int64]

    var id: String { prompt.id }
    var split: Split { prompt.split }
}

/// A prompt as it is in the ledger.
struct PromptRow: PromptVersion {
    var row: Int64
    /// `Prompt.id`
    var id: String
    var digest: String
    var split: Split
    var shard: Int?
    var target: Int64
    var history: [Int64]

    /// All prompts of a user, sorted by id.
    static func all(_ db: Database, user: Int64) throws -> [PromptRow] {
        let statement = try db.cachedStatement(
            sql: "SELECT id, name, digest, split, shard, target FROM prompts WHERE user = ? ORDER BY name")
        let history = try db.cachedStatement(
            sql: "SELECT interaction FROM prompt_history WHERE prompt = ? ORDER BY position")
        return try Row.fetchAll(statement, arguments: [user]).map { row in
            let number: Int64 = try row.value("id", in: "prompts")
            return PromptRow(
                row: number, id: try row.value("name", in: "prompts"), digest: try row.value("digest", in: "prompts"),
                split: try row.choice("split", in: "prompts"), shard: try row.optional("shard", in: "prompts"),
                target: try row.value("target", in: "prompts"),
                history: try Int64.fetchAll(history, arguments: [number]))
        }
    }
}

/// What has to change in the ledger so that a user's prompts are those that the rows imply.
struct PromptChanges {
    var user: Int64
    /// Under the partition by user.
    var userShard: Int?
    /// Sorted by name; what is added, oldest target first.
    var difference: PromptDifference<PromptRow, BuiltPrompt>

    init(user: UserRecord, stored: [PromptRow], built: [BuiltPrompt]) {
        self.user = user.id
        userShard = user.shard
        difference = PromptDifference(from: stored, to: built)
    }

    /// Everything of a user who is gone.
    init(deletingAllOf user: Int64, stored: [PromptRow]) {
        self.user = user
        difference = PromptDifference(from: stored, to: [])
    }
}

/// Which summaries have to be computed anew after prompts changed.
struct Touched {
    var shards: Set<Int> = []
    var splits: Set<Split> = []
}

extension Ledger {
    /// Applies the changes to the tables of prompts and lineage. Embeddings and margins of replaced prompts go with them.
    func apply(_ changes: PromptChanges, touched: inout Touched, _ db: Database) throws {
        for row in changes.difference.deleted {
            touched.splits.insert(row.split)
            if let shard = row.shard { touched.shards.insert(shard) }
            try delete(row, db)
        }
        for change in changes.difference.rebuilt {
            touched.splits.insert(change.old.split)
            if let shard = change.old.shard { touched.shards.insert(shard) }
            try delete(change.old, db)
        }
        for change in changes.difference.rebuilt {
            let kept = change.old.split == .train && change.new.split == .train ? change.old.shard : nil
            let shard = try kept ?? self.shard(for: change.new.prompt, userShard: changes.userShard)
            try insert(change.new, shard: shard, user: changes.user, touched: &touched, db)
        }
        for new in changes.difference.added {
            let shard = try self.shard(for: new.prompt, userShard: changes.userShard)
            try insert(new, shard: shard, user: changes.user, touched: &touched, db)
        }
    }

    /// nil: no training prompt, or to be dealt out by `partition`.
    private func shard(for prompt: Prompt, userShard: Int?) throws -> Int? {
        guard prompt.split == .train else { return nil }
        guard let hashPartition else { return userShard }
        return hashPartition.shard(of: PartitionSample(id: prompt.id, user: prompt.user))
    }

    private func delete(_ row: PromptRow, _ db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM prompts WHERE id = ?").execute(arguments: [row.row])
    }

    private func insert(
        _ new: BuiltPrompt, shard: Int?, user: Int64, touched: inout Touched, _ db: Database
    ) throws {
        let split = new.prompt.split
        touched.splits.insert(split)
        if let shard { touched.shards.insert(shard) }
        let undealt = split == .train && shard == nil && configuration.partition.isDataDependent
        try db.cachedStatement(
            sql: """
                INSERT INTO prompts (name, digest, user, target, split, label, shard, needs_embedding)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                new.prompt.id, new.digest, user, new.target, split.rawValue, new.prompt.label, shard,
                split == .validation || undealt,
            ])
        let id = db.lastInsertedRowID
        let history = try db.cachedStatement(
            sql: "INSERT INTO prompt_history (prompt, position, interaction) VALUES (?, ?, ?)")
        for (position, interaction) in new.history.enumerated() {
            try history.execute(arguments: [id, position, interaction])
        }
    }

    /// Brings counts and digests of shards and splits up to date. Returns the shards whose manifest is another one now.
    func refresh(_ touched: Touched, _ db: Database) throws -> [Int] {
        var changed: [Int] = []
        for shard in touched.shards.sorted() {
            let manifest = try manifest(of: .shard(shard), db)
            let digest = manifest.digest
            let before = try String.fetchOne(
                db, sql: "SELECT manifest FROM shards WHERE shard = ?", arguments: [shard])
            guard before != digest else { continue }
            changed.append(shard)
            try dropKey(ofShard: shard, db)
            try db.execute(
                sql: """
                    UPDATE shards SET manifest = ?, prompts = ?, likes = (
                        SELECT COUNT(*) FROM prompts
                        WHERE prompts.split = 'train' AND prompts.shard = shards.shard AND label = 1
                    ) WHERE shard = ?
                    """, arguments: [digest, manifest.entries.count, shard])
            if manifest.entries.isEmpty { try emptied(shard: shard, manifest: digest, db) }
        }
        for split in Split.allCases where touched.splits.contains(split) {
            let manifest = try manifest(of: .split(split), db)
            try db.execute(
                sql: """
                    UPDATE splits SET prompts = ?, digest = ?, likes = (
                        SELECT COUNT(*) FROM prompts WHERE prompts.split = splits.split AND label = 1
                    ) WHERE split = ?
                    """, arguments: [manifest.entries.count, manifest.digest, split.rawValue])
        }
        return changed
    }

    /// Prompts that have no shard yet are dealt out evenly: what fits in all shards together will fit in each.
    ///
    /// - Throws: `LedgerError.tooManyPrompts`.
    func requireRoom(_ db: Database) throws {
        let dealt = try Int.fetchOne(db, sql: "SELECT MAX(prompts) FROM shards") ?? 0
        guard dealt <= promptsOfAShard else {
            throw LedgerError.tooManyPrompts(count: dealt, limit: promptsOfAShard, shards: 1)
        }
        let all = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
        let limit = configuration.shards * promptsOfAShard
        guard all <= limit else {
            throw LedgerError.tooManyPrompts(count: all, limit: limit, shards: configuration.shards)
        }
    }

    /// An empty shard needs no adapter: whoever waits for one need not wait any longer.
    private func emptied(shard: Int, manifest: String, _ db: Database) throws {
        try dropAdapter(shard: shard, db)
        try db.execute(sql: "UPDATE shards SET quarantined = NULL WHERE shard = ?", arguments: [shard])
        try db.execute(sql: "DELETE FROM damaged_adapters WHERE shard = ?", arguments: [shard])
        try dropCorrection(shard: shard, db)
        try settle(shard: shard, manifest: manifest, nil, db)
    }

    /// Notes in the forget requests that wait for the shard what took the place of the adapter that is gone. A corrected
    /// adapter ends the waiting of those only that asked for an approximate method.
    ///
    /// - Parameter report: nil: the shard is empty and needs no adapter.
    func settle(shard: Int, manifest: String, _ report: TrainingReport?, _ db: Database) throws {
        let correction = report?.correction.map(Certificate.Correction.init)
        try db.execute(
            sql: """
                UPDATE forget_shards
                SET waiting = 0, new_adapter = ?, new_manifest = ?, approximation = ?, training = ?
                WHERE shard = ? AND waiting = 1 AND (? OR exact = 0)
                """,
            arguments: [
                report?.adapter, manifest, try correction.map { try JSONEncoder.stable.text($0) },
                try report.map { try JSONEncoder.stable.text($0) }, shard, correction == nil,
            ])
    }
}
