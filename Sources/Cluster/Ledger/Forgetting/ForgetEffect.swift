import Foundation
import GRDB
import Messages
import Recommendation

/// What forgetting changes, added up.
struct ForgetEffect {
    /// What becomes of one shard.
    struct Shard {
        var deleted = 0
        var rebuilt = 0
        /// Prompts that leave the shard.
        var leaving = 0
        /// The first slice of which a prompt goes or is another one, as far as that is known.
        var slice: Int?
    }

    var counts = ForgetCounts()
    /// Shards whose data changes or whose adapter saw something that is forgotten.
    var shards: [Int: Shard] = [:]

    /// Adds one person's changes.
    mutating func count(_ forgetting: PersonForgetting) {
        counts.interactions += forgetting.interactions
        for shard in forgetting.seenBy where shards[shard] == nil { shards[shard] = Shard() }
        for part in forgetting.change.leaving?.parts ?? [] {
            counts.promptsDeleted[part.place.split] += part.prompts
            guard let shard = part.place.shard else { continue }
            shards[shard, default: Shard()].deleted += part.prompts
            shards[shard, default: Shard()].leaving += part.prompts
        }
        let difference = forgetting.change.difference
        for prompt in difference.deleted {
            counts.promptsDeleted[prompt.split] += 1
            guard prompt.split == .train, let shard = prompt.shard else { continue }
            shards[shard, default: Shard()].deleted += 1
            shards[shard, default: Shard()].leaving += 1
        }
        for change in difference.rebuilt {
            counts.promptsRebuilt[change.old.split] += 1
            if let shard = change.new.trainingShard, shards[shard] == nil { shards[shard] = Shard() }
            guard change.old.split == .train, let shard = change.old.shard else { continue }
            shards[shard, default: Shard()].rebuilt += 1
            if change.new.split != .train { shards[shard, default: Shard()].leaving += 1 }
        }
        for prompt in difference.added {
            counts.promptsAdded[prompt.split] += 1
            // What kept it out is forgotten: because of that the adapter was trained without it.
            if let shard = prompt.trainingShard, shards[shard] == nil { shards[shard] = Shard() }
        }
    }
}

/// What becomes of one person when something of theirs is forgotten; nothing is written yet.
struct PersonForgetting {
    var change: PersonChange
    /// That go.
    var interactions: Int
    /// Those of them that were named one by one.
    var removed: [Interaction]
    /// Shards whose adapter saw one of them, or will see it in a correction.
    var seenBy: [Int] = []

    /// Training prompts that shards lose or get otherwise.
    var shards: Set<Int> {
        let difference = change.difference
        var shards = Set(seenBy).union(change.leaving?.members.keys ?? [:].keys)
        for prompt in difference.deleted { if let shard = prompt.trainingShard { shards.insert(shard) } }
        for prompt in difference.added { if let shard = prompt.trainingShard { shards.insert(shard) } }
        for change in difference.rebuilt {
            for shard in [change.old.trainingShard, change.new.trainingShard] {
                if let shard { shards.insert(shard) }
            }
        }
        return shards
    }

    /// What is to be recognised for ever of single interactions, as every door spells them.
    var tombstones: [Tombstone] {
        removed.flatMap { row -> [Tombstone] in
            let key = InteractionKey(user: row.user.normalised, item: row.item.normalised, timestamp: row.timestamp)
            return [.interaction(key), .pair(user: key.user, item: key.item)]
        }
    }
}

extension Ledger {
    /// Person by person, by number: so that a request may name many more than fit in memory.
    ///
    /// - Parameter method: what needs the prompts of whole people, too; nil: nothing is changed.
    func forEachForgetting(
        _ selection: ForgetSelection, _ method: ForgetProcedure?, _ db: Database,
        _ body: (inout PersonForgetting) throws -> Void
    ) throws {
        let context = try promptContext(db)
        var epochs: [Int: Int64]?
        for choice in selection.people {
            guard let known = try choice.known ?? person(choice.id, db) else { continue }
            let isNamed = { (kept: Person.Kept) in
                choice.interactions?.contains(ForgetSelection.Place(item: kept.item, timestamp: kept.timestamp)) ?? true
            }
            let going = known.person.interactions.filter(isNamed)
            let seen = Set(going.flatMap(\.seen))
            var seenBy: [Int] = []
            if !seen.isEmpty {
                let current = try epochs ?? epochsOfAll(db)
                epochs = current
                seenBy = Set(seen.filter { current[$0.shard] == $0.epoch }.map(\.shard)).sorted()
            }
            var named = known.person
            named.interactions = choice.interactions == nil ? [] : going
            var forgetting = PersonForgetting(
                change: try change(known, keeping: { !isNamed($0) }, method, context, db), interactions: going.count,
                removed: try named.interactions(catalogue(db)), seenBy: seenBy)
            try body(&forgetting)
        }
    }

    private func change(
        _ known: KnownPerson, keeping isKept: (Person.Kept) -> Bool, _ method: ForgetProcedure?,
        _ context: PromptContext?, _ db: Database
    ) throws -> PersonChange {
        var person = known.person
        person.interactions.removeAll { !isKept($0) }
        let isGone = person.interactions.isEmpty
        // A correction keeps the prompts, and the list of shortened ones names them.
        if isGone, method?.correction == nil, let summary = known.summary,
            method == nil || context.map({ !mayBeShortened(known.person, $0) }) ?? true
        {
            return PersonChange(leaving: summary, of: known)
        }
        var change = PersonChange(
            before: known, after: isGone ? nil : person, shard: known.shard, old: try prompts(of: known, context),
            new: isGone ? [] : try context?.prompts(of: person, shard: known.shard) ?? [], renewsKey: true)
        if configuration.partition == .semantic { try change.recordPlaces(catalogue(db)) }
        return change
    }

    /// Of all shards.
    func epochsOfAll(_ db: Database) throws -> [Int: Int64] {
        try Row.fetchAll(db, sql: "SELECT shard, epoch FROM shards").reduce(into: [:]) {
            $0[try $1.value("shard", in: "shards")] = try $1.value("epoch", in: "shards")
        }
    }

    /// What an adapter saw of people's earlier prompts counts no longer: it is gone, or another took its place that did not.
    func voidSeen(shard: Int, _ db: Database) throws {
        try db.execute(sql: "UPDATE shards SET epoch = epoch + 1 WHERE shard = ?", arguments: [shard])
    }
}
