import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// What people's prompts are made with now; nil before the first import.
    func promptContext(_ db: Database) throws -> PromptContext? {
        try recordedPrompts(db).map { try promptContext($0, db) }
    }

    /// How prompts are made; nil before the first import. Read again only where other bytes are stored.
    func recordedPrompts(_ db: Database) throws -> PromptConfiguration? {
        guard let text = try Meta.promptConfiguration.text(db) else { return nil }
        if let knownPrompts, knownPrompts.text == text { return knownPrompts.value }
        guard let value = try Meta.promptConfiguration.value(PromptConfiguration.self, db) else { return nil }
        knownPrompts = (text, value)
        return value
    }

    func promptContext(_ prompts: PromptConfiguration, _ db: Database) throws -> PromptContext {
        PromptContext(
            builder: try PromptBuilder(configuration: prompts), catalogue: try catalogue(db),
            hashPartition: hashPartition, partition: configuration.partition,
            slices: configuration.training.dealing(of: configuration.partition), references: try referenceSample(db))
    }

    /// Prompts as they are; none before the first import.
    func prompts(of known: KnownPerson, _ context: PromptContext?) throws -> [StoredPrompt] {
        try context?.prompts(of: known.person, shard: known.shard) ?? []
    }

    /// Writes what became of a person: record, places, what was computed for prompts that are gone; and counts it.
    ///
    /// - Parameters:
    ///   - uses: what memory counts otherwise then.
    ///   - newKey: of somebody new, or who gets another key.
    ///
    /// - Returns: the person's number; nil: gone.
    @discardableResult
    func write(
        _ change: PersonChange, _ summaries: inout Summaries, uses: inout CatalogueCounts,
        newKey: () throws -> (reference: KeyReference, key: SymmetricKey), _ db: Database
    ) throws -> Int64? {
        let summary = PersonSummary(of: change.new)
        try count(change, summary, &summaries, uses: &uses, db)
        try countShortened(change, db)
        guard let person = change.after else {
            guard let before = change.before else { return nil }
            noteChange(of: before.id)
            try note(nil, id: before.id, in: &uses, db)
            try uncountMargins(of: before.id, db)
            try db.cachedStatement(sql: "DELETE FROM people WHERE id = ?").execute(arguments: [before.id])
            try writeMembers(change, id: before.id, db)
            keyChanges.obsolete.append(before.reference)
            return nil
        }
        var (place, key) = (change.before?.reference, change.before?.key)
        if change.renewsKey, let old = place {
            keyChanges.obsolete.append(old)
            (place, key) = (nil, nil)
        }
        if place == nil || key == nil {
            let made = try newKey()
            (place, key) = (made.reference, made.key)
        }
        guard let place, let key else { return nil }
        let record = try Self.sealed(person.encoded, key, SymmetricKey.recordContext)
        let sealedSummary = try Self.sealed(summary.encoded, key, SymmetricKey.summaryContext)
        let validation = change.new.count { $0.prompt.split == .validation }
        let reference = change.new.count(where: \.isReference)
        let undealt = change.new.count(where: \.isUndealt)
        let id: Int64
        if let before = change.before {
            id = before.id
            try db.cachedStatement(
                sql: """
                    UPDATE people SET slot = ?, key = ?, shard = ?, validation = ?, reference = ?, undealt = ?,
                        record = ?, summary = ?
                    WHERE id = ?
                    """
            ).execute(
                arguments: [
                    place.slot, place.id, change.shard, validation, reference, undealt, record, sealedSummary, id,
                ])
        } else {
            try db.cachedStatement(
                sql: """
                    INSERT INTO people
                        (lookup, slot, key, shard, validation, reference, undealt, wanting, record, summary)
                    VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)
                    """
            ).execute(
                arguments: [
                    lookup(person.name.inTodaysSpelling).bytes, place.slot, place.id, change.shard, validation,
                    reference, undealt, record, sealedSummary,
                ])
            id = db.lastInsertedRowID
        }
        noteChange(of: id)
        try note(person, id: id, in: &uses, db)
        try writeMembers(change, id: id, db)
        try writeBoxes(change, id: id, key: key, db)
        return id
    }

    /// Counts the prompts, the interactions and the items' uses.
    private func count(
        _ change: PersonChange, _ summary: PersonSummary, _ summaries: inout Summaries, uses: inout CatalogueCounts,
        _ db: Database
    ) throws {
        if let leaving = change.leaving { try summaries.remove(leaving, self, db) }
        if change.old.isEmpty {
            try summaries.add(summary, self, db)
        } else {
            let old = Dictionary(change.old.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            let new = Dictionary(change.new.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            try summaries.remove(change.old.filter { new[$0.id]?.isCounted(like: $0) != true }, self, db)
            try summaries.add(change.new.filter { old[$0.id]?.isCounted(like: $0) != true }, self, db)
        }
        if change.before == nil && change.after != nil { summaries.people += 1 }
        if change.before != nil && change.after == nil { summaries.people -= 1 }
        let (before, after) = (change.before?.person.interactions ?? [], change.after?.interactions ?? [])
        summaries.interactions += after.count - before.count
        for kept in before { uses.had.insert(kept.item) }
        for item in change.before?.person.itemsNamed ?? [] { uses.uses[item, default: 0] -= 1 }
        for item in change.after?.itemsNamed ?? [] { uses.uses[item, default: 0] += 1 }
    }

    private func writeMembers(_ change: PersonChange, id: Int64, _ db: Database) throws {
        let old = change.leaving?.members ?? PersonChange.members(change.old)
        let new = PersonChange.members(change.new)
        for shard in Set(old.keys).union(new.keys).sorted() where old[shard] != new[shard] {
            if let count = new[shard] {
                try db.cachedStatement(
                    sql: "INSERT OR REPLACE INTO members (shard, person, prompts) VALUES (?, ?, ?)"
                ).execute(arguments: [shard, id, count])
            } else {
                try db.cachedStatement(sql: "DELETE FROM members WHERE shard = ? AND person = ?")
                    .execute(arguments: [shard, id])
            }
        }
    }

    static func sealed(_ bytes: some DataProtocol, _ key: SymmetricKey, _ context: String) throws -> Data {
        do throws(SealedBytes.Failure) {
            return try SealedBytes.seal(bytes, key: key, context: context)
        } catch {
            throw LedgerError.storage(path: "ledger.sqlite", reason: "a record cannot be sealed")
        }
    }
}

extension StoredPrompt {
    /// Whether it is the same entry in the same manifests.
    fileprivate func isCounted(like other: StoredPrompt) -> Bool {
        digest == other.digest && prompt.split == other.prompt.split && shard == other.shard
            && isReference == other.isReference
    }
}
