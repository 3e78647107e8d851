import Foundation
import GRDB
import Recommendation

extension Ledger {
    /// Keeps one batch of an import aside. A batch that is already there is ignored. Rows of forgotten people and
    /// forgotten interactions do not even get that far.
    ///
    /// - Throws: `LedgerError.invalidRow`.
    public func stage(
        importID: String, sequence: Int, items: [Item], interactions: [Interaction], at time: Date
    ) throws {
        guard !importID.isEmpty, sequence >= 0 else {
            throw LedgerError.invalidRow(reason: "a batch needs the id of its import and a number from 0")
        }
        for item in items where item.id.isEmpty || item.title.isEmpty {
            throw LedgerError.invalidRow(reason: "an item needs an id and a title")
        }
        for row in interactions where row.user.isEmpty || row.item.isEmpty || !row.rating.isFinite {
            throw LedgerError.invalidRow(reason: "row \(row.ordinal): a row needs user, item and a finite rating")
        }
        try mutate { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO staged_batches (import, sequence, time, refused) VALUES (?, ?, ?, 0)",
                arguments: [importID, sequence, time.milliseconds])
            guard db.changesCount == 1 else { return }
            let item = try db.cachedStatement(
                sql: "INSERT INTO staged_items (import, sequence, position, token, title) VALUES (?, ?, ?, ?, ?)")
            for (position, new) in items.enumerated() {
                try item.execute(arguments: [importID, sequence, position, new.id.normalised, new.title])
            }
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO staged_rows (import, sequence, position, user, item, timestamp, rating, ordinal)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            let refusedName = try db.cachedStatement(
                sql: "INSERT OR IGNORE INTO staged_refused_items (import, token) VALUES (?, ?)")
            var forgotten = try ForgottenRows(ledger: self, db)
            var refused = 0
            for (position, row) in interactions.enumerated() {
                var new = row
                new.user = row.user.normalised
                new.item = row.item.normalised
                if try forgotten.contains(new.key) {
                    refused += 1
                    try refusedName.execute(arguments: [importID, refusedItem(importID, new.item)])
                } else {
                    try insert.execute(
                        arguments: [
                            importID, sequence, position, new.user, new.item, new.timestamp, new.rating, new.ordinal,
                        ])
                }
            }
            try db.execute(
                sql: "UPDATE staged_batches SET refused = ? WHERE import = ? AND sequence = ?",
                arguments: [refused, importID, sequence])
            try audit(
                db, "stage", ["batch": sequence, "items": items.count, "rows": interactions.count, "refused": refused],
                at: time)
        }
    }

    /// Drops what is staged of an import that its client gave up.
    public func abandonImport(importID: String, at time: Date) throws {
        try mutate { db in
            try clearStaging(importID, db)
            try audit(db, "abandon import", [String: Int](), at: time)
        }
    }

    /// Takes the staged batches in, computes the prompts of the users concerned and the manifests of the shards.
    ///
    /// Users are concerned when they have new rows or an item of theirs has another title; all of them when the prompt
    /// configuration changed. Under tallrec new rows shift the benchmark's positions, which are then fixed anew.
    ///
    /// - Parameter batches: how many batches there are: sequence numbers 0 ..< batches.
    /// - Throws: `LedgerError.importIncomplete` or `.unknownImport`; `RecommendationError.invalidConfiguration`.
    public func finishImport(
        importID: String, batches: Int, prompts: PromptConfiguration, at time: Date
    ) throws -> ImportOutcome {
        let builder = try PromptBuilder(configuration: prompts)
        return try mutate { db in
            var outcome = ImportOutcome()
            outcome.rowsRefused = try requireComplete(importID, batches: batches, db)
            let (changedItems, gainedTitles) = try takeItems(importID, db)
            outcome.itemsChanged = changedItems.count
            let staged =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM staged_rows WHERE import = ?", arguments: [importID]) ?? 0
            let firstNew = try takeRows(importID, db)
            outcome.rowsNew =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM interactions WHERE id >= ?", arguments: [firstNew]) ?? 0
            outcome.rowsAlreadyThere = staged - outcome.rowsNew
            try clearStaging(importID, db)

            let before = try Meta.promptConfiguration.value(PromptConfiguration.self, db)
            let everybody = before != prompts || (prompts.method == .tallrec && (outcome.rowsNew > 0 || gainedTitles))
            if prompts.method == .tallrec && everybody { try fixBenchmarkSplits(prompts, db) }
            let users = try concernedUsers(everybody: everybody, firstNew: firstNew, items: changedItems, db)
            var touched = Touched()
            for id in users { try rebuild(user: id, builder, &outcome, &touched, db) }
            outcome.shortened = outcome.shortened.map { Array($0.sorted().prefix(ImportOutcome.namedPrompts)) }
            outcome.shardsChanged = try refresh(touched, db)
            for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            if before != prompts { try Meta.promptConfiguration.set(prompts, db) }
            try Meta.titleBudget.set(prompts.titleBytes, db)
            try audit(db, "import", outcome, at: time)
            return outcome
        }
    }

    /// Returns how many rows were refused.
    private func requireComplete(_ importID: String, batches: Int, _ db: Database) throws -> Int {
        let rows = try Row.fetchAll(
            db, sql: "SELECT sequence, refused FROM staged_batches WHERE import = ? ORDER BY sequence",
            arguments: [importID])
        guard !rows.isEmpty || batches == 0 else { throw LedgerError.unknownImport(id: importID) }
        let there = Set(rows.map { $0["sequence"] as Int })
        let missing = (0..<max(0, batches)).lazy.filter { !there.contains($0) }
        guard there.count == batches && missing.isEmpty else {
            throw LedgerError.importIncomplete(id: importID, expected: batches, missing: Array(missing.prefix(100)))
        }
        return rows.reduce(0) { $0 + ($1["refused"] as Int) }
    }

    /// Brings the catalogue up to date; returns the items that are new or have another title, and whether an item that
    /// rows name had none before. Within an import the first title of an item counts.
    private func takeItems(_ importID: String, _ db: Database) throws -> (changed: [Int64], gainedTitles: Bool) {
        db.add(function: refusedItemFunction)
        try db.execute(
            sql: """
                DELETE FROM staged_items WHERE import = :import
                AND refused_item(import, token) IN (SELECT token FROM staged_refused_items WHERE import = :import)
                AND token NOT IN (SELECT item FROM staged_rows WHERE import = :import)
                AND token NOT IN (SELECT token FROM items)
                """, arguments: ["import": importID])
        let staged = try Row.fetchCursor(
            db, sql: "SELECT token, title FROM staged_items WHERE import = ? ORDER BY sequence, position",
            arguments: [importID])
        let find = try db.makeStatement(sql: "SELECT id, title FROM items WHERE token = ?")
        let insert = try db.makeStatement(sql: "INSERT INTO items (token, title) VALUES (?, ?)")
        let update = try db.makeStatement(sql: "UPDATE items SET title = ? WHERE id = ?")
        var done: Set<String> = []
        var changed: [Int64] = []
        var gainedTitles = false
        while let row = try staged.next() {
            let (token, title): (String, String) = (row["token"], row["title"])
            guard done.insert(token).inserted else { continue }
            if let known = try Row.fetchOne(find, arguments: [token]) {
                let old: String? = known["title"]
                if old == title { continue }
                let id: Int64 = known["id"]
                if old == nil { gainedTitles = true }
                try update.execute(arguments: [title, id])
                changed.append(id)
            } else {
                try insert.execute(arguments: [token, title])
                changed.append(db.lastInsertedRowID)
            }
        }
        return (changed, gainedTitles)
    }

    /// Inserts the staged rows that are not there yet; returns the lowest id that a new row has.
    private func takeRows(_ importID: String, _ db: Database) throws -> Int64 {
        let firstNew = (try Int64.fetchOne(db, sql: "SELECT MAX(id) FROM interactions") ?? 0) + 1
        let lastUser = try Int64.fetchOne(db, sql: "SELECT MAX(ordinal) FROM users") ?? -1
        try db.execute(
            sql: "INSERT OR IGNORE INTO items (token) SELECT item FROM staged_rows WHERE import = ?",
            arguments: [importID])
        try db.execute(
            sql: """
                INSERT INTO users (token, ordinal)
                SELECT user, :last + ROW_NUMBER() OVER (ORDER BY MIN(ordinal), user)
                FROM staged_rows
                WHERE import = :import AND user NOT IN (SELECT token FROM users)
                GROUP BY user
                """, arguments: ["last": lastUser, "import": importID])
        try db.execute(
            sql: """
                INSERT INTO interactions (user, item, timestamp, rating, ordinal)
                SELECT users.id, items.id, s.timestamp, s.rating, s.ordinal
                FROM staged_rows s
                CROSS JOIN users ON users.token = s.user CROSS JOIN items ON items.token = s.item
                WHERE s.import = ? ORDER BY s.sequence, s.position
                ON CONFLICT (user, item, timestamp) DO NOTHING
                """, arguments: [importID])
        return firstNew
    }

    func clearStaging(_ importID: String, _ db: Database) throws {
        try Ledger.clearStaging(importID, db)
    }

    static func clearStaging(_ importID: String, _ db: Database) throws {
        for table in ["staged_batches", "staged_items", "staged_rows", "staged_refused_items"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE import = ?", arguments: [importID])
        }
    }

    private func concernedUsers(
        everybody: Bool, firstNew: Int64, items: [Int64], _ db: Database
    ) throws -> [Int64] {
        if everybody { return try Int64.fetchAll(db, sql: "SELECT id FROM users ORDER BY ordinal") }
        var users = Set(
            try Int64.fetchAll(db, sql: "SELECT DISTINCT user FROM interactions WHERE id >= ?", arguments: [firstNew]))
        let statement = try db.makeStatement(sql: "SELECT DISTINCT user FROM interactions WHERE item = ?")
        for item in items { users.formUnion(try Int64.fetchAll(statement, arguments: [item])) }
        return users.sorted()
    }

    /// Records the split of every target of the TALLRec benchmark, from all rows that are there.
    private func fixBenchmarkSplits(_ prompts: PromptConfiguration, _ db: Database) throws {
        try db.execute(sql: "UPDATE interactions SET split = NULL WHERE split IS NOT NULL")
        let users = try Row.fetchAll(db, sql: "SELECT id, token FROM users ORDER BY ordinal")
        let ids = Dictionary(
            users.map { ($0["token"] as String, $0["id"] as Int64) }, uniquingKeysWith: { first, _ in first })
        let targets = try TallrecSplit.assign(
            usersInFileOrder: users.map { $0["token"] }, configuration: prompts
        ) { user in
            guard let id = ids[user], let rows = try UserRows(db, user: id) else { return [] }
            return rows.interactions.filter { rows.titles[$0.item] != nil }
        }
        let update = try db.makeStatement(
            sql: """
                UPDATE interactions SET split = ? WHERE user = ? AND timestamp = ?
                AND item = (SELECT id FROM items WHERE token = ?)
                """)
        for target in targets {
            try update.execute(
                arguments: [target.split.rawValue, ids[target.key.user], target.key.timestamp, target.key.item])
        }
    }

    func rebuild(
        user id: Int64, _ builder: PromptBuilder, _ outcome: inout ImportOutcome, _ touched: inout Touched,
        _ db: Database
    ) throws {
        guard let user = try UserRows(db, user: id) else { return }
        let built = try user.prompts(builder)
        let shortened = built.filter { builder.shortens($0.prompt, titles: { user.titles[$0] }) }
        if !shortened.isEmpty {
            outcome.promptsShortened = (outcome.promptsShortened ?? 0) + shortened.count
            outcome.shortened = (outcome.shortened ?? []) + shortened.map(\.prompt.id)
        }
        let changes = PromptChanges(user: user, stored: try PromptRow.all(db, user: id), built: built)
        guard !changes.isEmpty else { return }
        try rememberSeen(changes, db)
        try apply(changes, touched: &touched, db)
        outcome.promptsAdded += changes.added.count
        outcome.promptsRebuilt += changes.rebuilt.count
        outcome.promptsRemoved += changes.deleted.count
    }

    /// An adapter keeps the influence of a prompt that an import replaces until it is trained again: its lineage must
    /// still lead there.
    private func rememberSeen(_ changes: PromptChanges, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: "INSERT OR IGNORE INTO seen (shard, interaction) SELECT shard, ? FROM adapters WHERE shard = ?")
        for row in changes.deleted + changes.rebuilt.map(\.old) where row.split == .train {
            guard let shard = row.shard else { continue }
            for interaction in [row.target] + row.history {
                try statement.execute(arguments: [interaction, shard])
            }
        }
    }
}
