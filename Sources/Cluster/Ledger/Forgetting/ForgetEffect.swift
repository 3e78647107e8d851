import Foundation
import GRDB
import Messages
import Recommendation

/// What a forget request names, looked up in the ledger.
struct ForgetSelection {
    struct User {
        var id: Int64
        var token: String
        /// nil: all of the user.
        var interactions: Set<Int64>?
    }

    /// In the order of first appearance.
    var users: [User] = []
    /// Everything the request names, also what is only staged.
    var tombstones: [Tombstone] = []
    /// All people the request names.
    var people: [String] = []
    /// Users that the request names whole and that were there.
    var wholeUsers = 0
    var alreadyForgotten = 0
}

/// What forgetting changes, computed without writing anything.
struct ForgetEffect {
    /// What becomes of one shard.
    struct Shard {
        var deleted = 0
        var rebuilt = 0
        /// Prompts that leave the shard.
        var leaving = 0
    }

    var counts = ForgetCounts()
    var changes: [PromptChanges] = []
    var interactions: [Int64] = []
    /// Users without any interaction left.
    var emptyUsers: [Int64] = []
    var tombstones: [Tombstone] = []
    var people: [String] = []
    var alreadyForgotten = 0
    /// Training prompts that go or change, as they are, by name; only where a correction needs them.
    var oldPrompts: [String: TrainingPrompt] = [:]
    /// Shards whose data changes or whose adapter saw something that is forgotten.
    var shards: [Int: Shard] = [:]

    var changesNothing: Bool { tombstones.isEmpty }
}

extension Ledger {
    /// - Throws: `LedgerError.unknownData`, `.invalidRequest`.
    func effect(
        of request: ClientRequest.ForgetRequest, _ method: ForgetProcedure, _ db: Database
    ) throws -> ForgetEffect {
        let selection = try select(request, db)
        var effect = ForgetEffect()
        effect.tombstones = selection.tombstones
        effect.people = selection.people
        effect.alreadyForgotten = selection.alreadyForgotten
        effect.counts.users = selection.wholeUsers
        let builder = try Meta.promptConfiguration.value(PromptConfiguration.self, db).map(PromptBuilder.init)
        let keepsOldPrompts = method.correction != nil
        let seen = try db.makeStatement(
            sql: """
                SELECT shard FROM seen WHERE interaction = :id
                UNION SELECT shard FROM correction_seen WHERE interaction = :id
                """)
        for user in selection.users {
            guard let rows = try UserRecord(db, user: user.id) else { continue }
            let removed = user.interactions ?? Set(rows.ids.values)
            let stored = try PromptRow.all(db, user: user.id)
            let isGone = removed.count == rows.interactions.count
            let changes =
                if let builder, !isGone {
                    PromptChanges(user: rows, stored: stored, built: try rows.prompts(builder, without: removed))
                } else {
                    PromptChanges(deletingAllOf: user.id, stored: stored)
                }
            if isGone { effect.emptyUsers.append(user.id) }
            for interaction in rows.interactions {
                guard let id = rows.ids[interaction.key], removed.contains(id) else { continue }
                effect.interactions.append(id)
                if user.interactions != nil {
                    // As every door spells them.
                    let key = InteractionKey(
                        user: interaction.user.normalised, item: interaction.item.normalised,
                        timestamp: interaction.timestamp)
                    effect.tombstones.append(.interaction(key))
                    effect.tombstones.append(.pair(user: key.user, item: key.item))
                }
                for shard in try Int.fetchAll(seen, arguments: ["id": id]) where effect.shards[shard] == nil {
                    effect.shards[shard] = ForgetEffect.Shard()
                }
            }
            if keepsOldPrompts, let builder { effect.keepOldPrompts(of: changes, built: try rows.prompts(builder)) }
            effect.count(changes)
        }
        effect.counts.interactions = effect.interactions.count
        return effect
    }

    /// Looks up what the request names; refuses it whole when anything is unknown.
    private func select(_ request: ClientRequest.ForgetRequest, _ db: Database) throws -> ForgetSelection {
        guard !request.users.isEmpty || !request.interactions.isEmpty else {
            throw LedgerError.invalidRequest(reason: "it names neither users nor interactions")
        }
        for name in request.users + request.interactions.flatMap({ [$0.user, $0.item] }) where name.normalised.isEmpty {
            throw LedgerError.invalidRequest(reason: "one of its users or items is no identifier")
        }
        var selection = ForgetSelection()
        var partial: [String: (id: Int64, interactions: Set<Int64>)] = [:]
        var unknownUsers: [String] = []
        var unknownInteractions: [ClientRequest.ForgetRequest.Target] = []
        let whole = Set(request.users.map(\.normalised))
        let targets = Set(
            request.interactions.map {
                ClientRequest.ForgetRequest.Target(
                    user: $0.user.normalised, item: $0.item.normalised, timestamp: $0.timestamp)
            })
        for user in whole.sorted() {
            let found = try spellings(of: user, in: "users", db)
            let isStaged = try !stagedImports(user: user, item: nil, db).isEmpty
            if found.isEmpty && !isStaged {
                if try hasTombstone(.user(user), db) {
                    selection.alreadyForgotten += 1
                } else {
                    unknownUsers.append(user)
                }
                continue
            }
            selection.tombstones.append(.user(user))
            selection.people.append(user)
            selection.wholeUsers += 1
            for spelling in found {
                if spelling.token != user { selection.people.append(spelling.token) }
                selection.users.append(
                    ForgetSelection.User(id: spelling.id, token: spelling.token, interactions: nil))
            }
        }
        for target in targets.sorted(by: Ledger.isBefore) where !whole.contains(target.user) {
            let found = try interactions(target, db)
            let staged = try stagedTimestamps(target, db)
            if found.isEmpty && staged.isEmpty {
                if try wasForgotten(target, db) {
                    selection.alreadyForgotten += 1
                } else {
                    unknownInteractions.append(target)
                }
                continue
            }
            selection.people.append(target.user)
            selection.tombstones.append(.pair(user: target.user, item: target.item))
            for timestamp in staged {
                let key = InteractionKey(user: target.user, item: target.item, timestamp: timestamp)
                selection.tombstones.append(.interaction(key))
            }
            for (user, ids) in found {
                if user.token != target.user { selection.people.append(user.token) }
                partial[user.token, default: (user.id, [])].interactions.formUnion(ids)
            }
        }
        guard unknownUsers.isEmpty && unknownInteractions.isEmpty else {
            throw LedgerError.unknownData(users: unknownUsers, interactions: unknownInteractions)
        }
        for (token, found) in partial.sorted(by: { $0.key < $1.key }) {
            selection.users.append(
                ForgetSelection.User(id: found.id, token: token, interactions: found.interactions))
        }
        return selection
    }

    private static func isBefore(
        _ left: ClientRequest.ForgetRequest.Target, _ right: ClientRequest.ForgetRequest.Target
    ) -> Bool {
        (left.user, left.item, left.timestamp ?? .min) < (right.user, right.item, right.timestamp ?? .min)
    }

    /// By user, of those that the target's name stands for; only users that have such interactions.
    private func interactions(
        _ target: ClientRequest.ForgetRequest.Target, _ db: Database
    ) throws -> [(user: Spelling, ids: [Int64])] {
        let items = try spellings(of: target.item, in: "items", db)
        return try spellings(of: target.user, in: "users", db).compactMap { user in
            let ids = try items.flatMap { item in
                try Int64.fetchAll(
                    db,
                    sql: """
                        SELECT id FROM interactions WHERE user = :user AND item = :item
                        AND (:time IS NULL OR timestamp = :time) ORDER BY id
                        """, arguments: ["user": user.id, "item": item.id, "time": target.timestamp])
            }
            return ids.isEmpty ? nil : (user, ids)
        }
    }

    private func wasForgotten(_ target: ClientRequest.ForgetRequest.Target, _ db: Database) throws -> Bool {
        if try hasTombstone(.user(target.user), db) { return true }
        guard let timestamp = target.timestamp else {
            return try hasTombstone(.pair(user: target.user, item: target.item), db)
        }
        let key = InteractionKey(user: target.user, item: target.item, timestamp: timestamp)
        return try hasTombstone(.interaction(key), db)
    }

    /// Imports in progress that hold rows of a user, or of the user with one item.
    func stagedImports(user: String, item: String?, _ db: Database) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                SELECT DISTINCT import FROM staged_rows WHERE user = :user AND (:item IS NULL OR item = :item)
                ORDER BY import
                """, arguments: ["user": user, "item": item])
    }

    /// When the interactions that the target names happened, of those in imports in progress.
    private func stagedTimestamps(
        _ target: ClientRequest.ForgetRequest.Target, _ db: Database
    ) throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                SELECT DISTINCT timestamp FROM staged_rows WHERE user = :user AND item = :item
                AND (:time IS NULL OR timestamp = :time) ORDER BY timestamp
                """, arguments: ["user": target.user, "item": target.item, "time": target.timestamp])
    }
}

extension ForgetEffect {
    mutating func keepOldPrompts(of changes: PromptChanges, built: [BuiltPrompt]) {
        let changed = (changes.difference.deleted + changes.difference.rebuilt.map(\.old)).filter { $0.split == .train }
        let digests = Dictionary(changed.map { ($0.id, $0.digest) }, uniquingKeysWith: { first, _ in first })
        for prompt in built where digests[prompt.prompt.id] == prompt.digest {
            oldPrompts[prompt.prompt.id] = TrainingPrompt(prompt.prompt)
        }
    }

    /// Adds one user's changes to the counts.
    mutating func count(_ changes: PromptChanges) {
        self.changes.append(changes)
        for row in changes.difference.deleted {
            counts.promptsDeleted[row.split] += 1
            guard row.split == .train, let shard = row.shard else { continue }
            shards[shard, default: Shard()].deleted += 1
            shards[shard, default: Shard()].leaving += 1
        }
        for change in changes.difference.rebuilt {
            counts.promptsRebuilt[change.old.split] += 1
            guard change.old.split == .train, let shard = change.old.shard else { continue }
            shards[shard, default: Shard()].rebuilt += 1
            if change.new.split != .train { shards[shard, default: Shard()].leaving += 1 }
        }
        for new in changes.difference.added { counts.promptsAdded[new.split] += 1 }
    }
}
