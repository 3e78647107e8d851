import Foundation
import GRDB
import Messages
import Recommendation

/// Makes people's prompts anew within one transaction, and counts what that changes.
struct Rebuilding {
    let ledger: Ledger
    /// nil: there were no prompts.
    let old: PromptContext?
    let new: PromptContext
    var summaries = Summaries()
    var uses = CatalogueCounts()
    /// Of the shards that have an adapter.
    private let epochs: [Int: Int64]
    private let namesShortened: Bool

    init(_ ledger: Ledger, from old: PromptContext?, to new: PromptContext, _ db: Database) throws {
        self.ledger = ledger
        self.old = old
        self.new = new
        epochs = try ledger.epochsOfAdapters(db)
        namesShortened = new.catalogue.entries.values.contains(where: new.isLong)
    }

    /// Whether prompts call an item otherwise when the catalogue says something else of it.
    func changesName(of before: Catalogue.Entry, to after: Catalogue.Entry?) -> Bool {
        [old, new].compactMap(\.self).contains { $0.name(before) != after.flatMap($0.name) }
    }

    /// - Parameters:
    ///   - before: nil: somebody new.
    ///   - after: the record that is to be.
    mutating func rebuild(
        from before: KnownPerson?, to after: Person, _ outcome: inout ImportOutcome, _ db: Database
    ) throws {
        let stored = try before.map { try ledger.prompts(of: $0, old) } ?? []
        let built = try new.prompts(of: after, shard: before?.shard)
        if namesShortened {
            let shortened = built.filter { new.shortens($0) }
            if !shortened.isEmpty {
                outcome.promptsShortened = (outcome.promptsShortened ?? 0) + shortened.count
                outcome.shortened = (outcome.shortened ?? []) + shortened.map(\.id)
            }
        }
        var change = PersonChange(before: before, after: after, shard: before?.shard, old: stored, new: built)
        if !change.difference.isEmpty {
            // An adapter keeps the influence of a prompt that is replaced until it is trained again: its lineage must
            // still lead there.
            let epochs = epochs
            try change.rememberSeen(new.catalogue) { epochs[$0] }
            if ledger.configuration.partition == .semantic { try change.recordPlaces(new.catalogue) }
        } else if before?.person == after {
            return
        }
        try ledger.write(change, &summaries, uses: &uses, newKey: ledger.takeKey, db)
        outcome.promptsAdded += change.difference.added.count
        outcome.promptsRebuilt += change.difference.rebuilt.count
        outcome.promptsRemoved += change.difference.deleted.count
    }
}

extension Ledger {
    /// Writes what was counted. Returns the shards whose manifest is another one now, in order.
    func finish(_ rebuilding: inout Rebuilding, _ db: Database) throws -> [Int] {
        let uses = rebuilding.uses
        afterWriting.append { [self] in cachedCatalogue?.count(uses) }
        let changed = try write(rebuilding.summaries, db)
        try boundReferences(db)
        return changed
    }

    func epochsOfAdapters(_ db: Database) throws -> [Int: Int64] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT shards.shard, epoch FROM shards JOIN adapters ON adapters.shard = shards.shard")
        return try rows.reduce(into: [:]) {
            $0[try $1.value("shard", in: "shards")] = try $1.value("epoch", in: "shards")
        }
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
}
