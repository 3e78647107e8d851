import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Takes the staged batches in, computes the prompts of the users concerned and the manifests of the shards.
    ///
    /// Users are concerned when they have new or corrected rows or an item of theirs has another title; all of them when
    /// the prompt configuration changed. Under tallrec new rows shift the benchmark's positions, which are then fixed anew.
    ///
    /// - `batches`: how many batches there are: sequence numbers 0 ..< batches.
    /// - `prompts`: taken as a whole where no configuration is recorded.
    /// - `given`: the fields of it that were asked for. The others stay as they are recorded.
    /// - `changePrompts`: the given fields may differ from the recorded ones; that is an audit entry of its own.
    /// - `requestID`: under this id `importOutcome` knows what was done, from the same commit on.
    /// - Throws: `LedgerError.importIncomplete`, `.unknownImport`, `.promptsDiffer` or `.conflictingTitles` (what was staged
    ///   is dropped after these two); `RecommendationError.invalidConfiguration`.
    package func finishImport(
        importID: String, batches: Int, prompts: PromptConfiguration, given: [PromptField] = PromptField.allCases,
        changePrompts: Bool = false, at time: Date, requestID: String? = nil
    ) throws -> ImportOutcome {
        do {
            return try takeImport(
                importID: importID, batches: batches, prompts: prompts, given: given, changePrompts: changePrompts,
                at: time, requestID: requestID)
        } catch let error as LedgerError {
            switch error {
            case .promptsDiffer, .conflictingTitles, .tooManyPrompts: try abandonImport(importID: importID, at: time)
            default: break
            }
            throw error
        }
    }

    private func takeImport(
        importID: String, batches: Int, prompts wanted: PromptConfiguration, given: [PromptField], changePrompts: Bool,
        at time: Date, requestID: String?
    ) throws -> ImportOutcome {
        try commit { db in
            let before = try Meta.promptConfiguration.value(PromptConfiguration.self, db)
            let prompts = before?.taking(given, from: wanted) ?? wanted
            let builder = try PromptBuilder(configuration: prompts)
            let changes = before?.changes(to: prompts) ?? []
            guard changes.isEmpty || changePrompts else { throw LedgerError.promptsDiffer(changes) }
            var outcome = ImportOutcome()
            outcome.rowsRefused = try requireComplete(importID, batches: batches, db)
            try useOlderSpellings(ofImport: importID, db)
            let (changedItems, gainedTitles) = try takeItems(importID, db)
            outcome.itemsChanged = changedItems.count
            let staged =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM staged_rows WHERE import = ?", arguments: [importID]) ?? 0
            let firstNew = try takeRows(importID, db)
            outcome.rowsNew =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM interactions WHERE id >= ?", arguments: [firstNew]) ?? 0
            let corrected = try correctRows(importID, db)
            outcome.rowsCorrected = corrected.rows
            outcome.rowsAlreadyThere = staged - outcome.rowsNew - corrected.rows
            try clearStaging(importID, db)

            let everybody = before != prompts || (prompts.method == .tallrec && (outcome.rowsNew > 0 || gainedTitles))
            if prompts.method == .tallrec && everybody { try fixBenchmarkSplits(prompts, db) }
            let users = try concernedUsers(
                everybody: everybody, firstNew: firstNew, corrected: corrected.users, items: changedItems, db)
            var touched = Touched()
            for id in users { try rebuild(user: id, builder, &outcome, &touched, db) }
            outcome.shortened = outcome.shortened.map { Array($0.sorted().prefix(ImportOutcome.namedPrompts)) }
            outcome.shardsChanged = try refresh(touched, db)
            try requireRoom(db)
            for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            if before != prompts { try Meta.promptConfiguration.set(prompts, db) }
            if !changes.isEmpty {
                try Meta.promptsChange.set(PromptsChange(time: time.milliseconds, changes: changes), db)
                try audit(db, "change prompts", ["changes": changes], at: time)
            }
            try Meta.titleBudget.set(prompts.titleBytes, db)
            try audit(db, "import", outcome, at: time)
            if let requestID {
                // Whoever asks again is told what was done, also if nothing could be read after the commit.
                let body = try JSONEncoder.stable.encode(outcome)
                try insert(reply: body, requestID: Ledger.outcomePrefix + requestID, users: [], db)
            }
            return outcome
        }
    }

    /// Returns how many rows were refused.
    private func requireComplete(_ importID: String, batches: Int, _ db: Database) throws -> Int {
        let rows = try Row.fetchAll(
            db, sql: "SELECT sequence, refused FROM staged_batches WHERE import = ? ORDER BY sequence",
            arguments: [importID])
        guard !rows.isEmpty || batches == 0 else { throw LedgerError.unknownImport(id: importID) }
        let there = Set(try rows.map { try $0.count("sequence", in: "staged_batches") })
        let missing = (0..<max(0, batches)).lazy.filter { !there.contains($0) }
        guard there.count == batches && missing.isEmpty else {
            throw LedgerError.importIncomplete(id: importID, expected: batches, missing: Array(missing.prefix(100)))
        }
        return try rows.reduce(0) { $0 + (try $1.count("refused", in: "staged_batches")) }
    }

    /// Brings the catalogue up to date; returns the items that are new or have another title, and whether an item that
    /// rows name had none before.
    ///
    /// - Throws: `LedgerError.conflictingTitles`: an item has one title, so somebody's text was taken for one.
    private func takeItems(_ importID: String, _ db: Database) throws -> (changed: [Int64], gainedTitles: Bool) {
        db.add(function: refusedItemFunction)
        let conflict = try String.fetchOne(
            db,
            sql: """
                SELECT token FROM staged_items WHERE import = ?
                GROUP BY token HAVING COUNT(DISTINCT title) > 1 ORDER BY token LIMIT 1
                """, arguments: [importID])
        if let conflict { throw LedgerError.conflictingTitles(item: conflict) }
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
            let token: String = try row.value("token", in: "staged_items")
            let title: String = try row.value("title", in: "staged_items")
            guard done.insert(token).inserted else { continue }
            if let known = try Row.fetchOne(find, arguments: [token]) {
                let old: String? = try known.optional("title", in: "items")
                if old == title { continue }
                let id: Int64 = try known.value("id", in: "items")
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
        let (firstNew, isFull) = (try Int64.fetchOne(db, sql: "SELECT MAX(id) FROM interactions") ?? 0)
            .addingReportingOverflow(1)
        guard !isFull else {
            throw LedgerError.corrupt(table: "interactions", column: "id", reason: "is no possible number")
        }
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

    /// A staged row that names an interaction with another rating corrects it; of several that name one the last counts.
    /// The interaction keeps its place in the order. Returns how many there were, and whose.
    private func correctRows(_ importID: String, _ db: Database) throws -> (rows: Int, users: Set<Int64>) {
        let corrections = try Row.fetchAll(
            db,
            sql: """
                SELECT i.id, i.user, s.rating FROM (
                    SELECT user, item, timestamp, rating, ROW_NUMBER() OVER (
                        PARTITION BY user, item, timestamp ORDER BY sequence DESC, position DESC
                    ) AS age FROM staged_rows WHERE import = ?
                ) s
                CROSS JOIN users ON users.token = s.user CROSS JOIN items ON items.token = s.item
                CROSS JOIN interactions i
                ON i.user = users.id AND i.item = items.id AND i.timestamp = s.timestamp
                WHERE s.age = 1 AND i.rating <> s.rating ORDER BY i.id
                """, arguments: [importID])
        let update = try db.makeStatement(sql: "UPDATE interactions SET rating = ? WHERE id = ?")
        var users: Set<Int64> = []
        for row in corrections {
            let (rating, id): (Double, Int64) = (
                try row.value("rating", in: "staged_rows"), try row.value("id", in: "interactions")
            )
            try update.execute(arguments: [rating, id])
            users.insert(try row.value("user", in: "interactions"))
        }
        return (corrections.count, users)
    }

    private func concernedUsers(
        everybody: Bool, firstNew: Int64, corrected: Set<Int64>, items: [Int64], _ db: Database
    ) throws -> [Int64] {
        if everybody { return try Int64.fetchAll(db, sql: "SELECT id FROM users ORDER BY ordinal") }
        var users = corrected.union(
            try Int64.fetchAll(db, sql: "SELECT DISTINCT user FROM interactions WHERE id >= ?", arguments: [firstNew]))
        let statement = try db.makeStatement(sql: "SELECT DISTINCT user FROM interactions WHERE item = ?")
        for item in items { users.formUnion(try Int64.fetchAll(statement, arguments: [item])) }
        return users.sorted()
    }

    /// Records the split of every target of the TALLRec benchmark, from all rows that are there.
    private func fixBenchmarkSplits(_ prompts: PromptConfiguration, _ db: Database) throws {
        try db.execute(sql: "UPDATE interactions SET split = NULL WHERE split IS NOT NULL")
        let users = try Row.fetchAll(db, sql: "SELECT id, token FROM users ORDER BY ordinal")
        let named = try users.map { row -> (String, Int64) in
            (try row.value("token", in: "users"), try row.value("id", in: "users"))
        }
        let ids = Dictionary(named, uniquingKeysWith: { first, _ in first })
        let targets = try TallrecSplit.assign(
            usersInFileOrder: named.map(\.0), configuration: prompts
        ) { user in
            guard let id = ids[user], let rows = try UserRecord(db, user: id) else { return [] }
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
        guard let user = try UserRecord(db, user: id) else { return }
        let built = try user.prompts(builder)
        let shortened = built.filter { builder.shortens($0.prompt, titles: { user.titles[$0] }) }
        if !shortened.isEmpty {
            outcome.promptsShortened = (outcome.promptsShortened ?? 0) + shortened.count
            outcome.shortened = (outcome.shortened ?? []) + shortened.map(\.prompt.id)
        }
        let changes = PromptChanges(user: user, stored: try PromptRow.all(db, user: id), built: built)
        guard !changes.difference.isEmpty else { return }
        try rememberSeen(changes, db)
        try apply(changes, touched: &touched, db)
        outcome.promptsAdded += changes.difference.added.count
        outcome.promptsRebuilt += changes.difference.rebuilt.count
        outcome.promptsRemoved += changes.difference.deleted.count
    }

    /// An adapter keeps the influence of a prompt that an import replaces until it is trained again: its lineage must
    /// still lead there.
    private func rememberSeen(_ changes: PromptChanges, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: "INSERT OR IGNORE INTO seen (shard, interaction) SELECT shard, ? FROM adapters WHERE shard = ?")
        for row in changes.difference.deleted + changes.difference.rebuilt.map(\.old) where row.split == .train {
            guard let shard = row.shard else { continue }
            for interaction in [row.target] + row.history {
                try statement.execute(arguments: [interaction, shard])
            }
        }
    }
}
