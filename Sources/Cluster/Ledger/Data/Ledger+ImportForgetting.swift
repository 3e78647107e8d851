import Foundation
import GRDB
import Messages
import Recommendation

/// What a forget request does to an import that is being taken in by portions: the import goes on without the people whom the
/// request names, and whoever asked waits for no more than their rows.
extension Ledger {
    /// What imports under way hold of the people whom the request names is taken in at once, so that it is forgotten with
    /// everything else of theirs, and leaves what is staged: the batches that have some of it are written anew, under other keys.
    ///
    /// Items that these people had stay in the catalogue until the import is taken in: somebody may follow who names them.
    ///
    /// - Returns: whether there was any.
    func takeOut(_ selection: ForgetSelection, at time: Date, _ db: Database) throws -> Bool {
        let concerned = try importsBeingTaken(db).filter(selection.imports.contains)
        for importID in concerned { try takeOut(selection, of: importID, at: time, db) }
        if !concerned.isEmpty { takeAsWritten() }
        return !concerned.isEmpty
    }

    /// What follows in the transaction builds on what was written so far.
    func takeAsWritten() {
        (catalogueIsChanging, hasRunAhead) = (true, true)
        for work in afterWriting { work() }
        afterWriting = []
    }

    /// Items that only people had who were forgotten while the import was taken in leave the catalogue with its last portion.
    ///
    /// - `pending`: that the catalogue does not count yet.
    func removeItemsLeft(by importID: String, _ pending: CatalogueCounts, _ db: Database) throws {
        let rewritten = try ownBatches(importID, db).filter { $0.value.file > 0 }.keys.sorted()
        guard !rewritten.isEmpty, let staged = try staged(importID, sequences: rewritten, db) else { return }
        let left = try staged.refusedItems()
        guard !left.isEmpty else { return }
        let gone = try catalogue(db).entries.filter { number, entry in
            entry.uses + (pending.uses[number] ?? 0) <= 0 && left.contains(leftItem(importID, entry.token))
        }
        try remove(items: gone.keys.sorted(), db)
    }

    /// The same where the import is dropped instead. Which items they are stands in batches that may not open any more: all that
    /// nobody has leave the catalogue. Whoever sends the import again brings the others back.
    func removeItemsLeft(byDropped importID: String, _ db: Database) throws {
        var keepsItems = true
        do {
            keepsItems = try taking(importID, db)?.keepsItems == true
        } catch LedgerError.corrupt {
            // A marker that cannot be read says nothing else.
        }
        // As a release before left it.
        let wasRewritten = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (
                    SELECT 1 FROM imports JOIN staged_batches USING (import)
                    WHERE import = ? AND taking IS NOT NULL AND file > 0
                )
                """, arguments: [importID])
        guard keepsItems || wasRewritten == true else { return }
        let gone = try catalogue(db).entries.filter { $0.value.uses <= 0 }.keys.sorted()
        try remove(items: gone, dropsUnreadableImports: true, db)
    }

    /// Notes that items stay because of imports under way.
    func noteKeptItems(_ db: Database) throws {
        for importID in try importsBeingTaken(db) {
            guard var taking = try taking(importID, db), taking.keepsItems != true else { continue }
            taking.keepsItems = true
            try set(taking, of: importID, db)
        }
    }

    private func takeOut(_ selection: ForgetSelection, of importID: String, at time: Date, _ db: Database) throws {
        guard var taking = try taking(importID, db), let prompts = try recordedPrompts(db),
            let staged = try staged(importID, sequences: 0..<max(0, taking.batches), db)
        else { throw LedgerError.unknownImport(id: importID) }
        // Where a release before staged it, one key opens all batches.
        guard staged.sequences.allSatisfy({ staged.folder.own[$0] != nil }) else {
            return try takeRest(of: importID, at: time, db)
        }
        let drawing = try drawing(taking.negatives ?? 0, from: staged, of: importID)
        var run = try ImportRun(self, continuing: taking, of: importID, with: prompts, drawing: drawing, db)
        let people = Set(selection.names.map(lookup))
        let (rows, rewritten) = try partRows(of: people, from: staged, items: itemsHad(by: selection, db), db)
        // Those before the marker are taken in already.
        for person in rows.keys.sorted() where taking.position.map({ $0 < person }) ?? true {
            try run.take(rows[person] ?? [], db)
        }
        var outcome = run.outcome
        outcome.shardsChanged = try finish(&run.rebuilding, db)
        outcome.shortened = nil
        for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
        taking.outcome.add(outcome)
        try set(taking, of: importID, db)
        stagedPeople[importID]?.subtract(rows.keys)
        if var kept = readers[importID] {
            try kept.reader.passOver(people, rewritten: rewritten)
            readers[importID] = kept
        }
    }

    /// Writes the batches that hold rows of these people anew, without them.
    ///
    /// - `items`: that the people had otherwise, by token.
    /// - Returns: their rows, in the order of batch number and position, and the batches as they are now.
    private func partRows(
        of people: Set<PersonLookup>, from staged: StagedBatches, items: Set<String>, _ db: Database
    ) throws -> (rows: [PersonLookup: [StagedRow]], rewritten: [Int: StagedImports.OwnBatch]) {
        var rows: [PersonLookup: [StagedRow]] = [:]
        var rewritten: [Int: StagedImports.OwnBatch] = [:]
        var left = items
        let before = try ownBatches(staged.importID, db)
        for sequence in staged.sequences {
            guard let old = before[sequence], let parted = try staged.parted(from: people, sequence) else { continue }
            for row in parted.rows {
                rows[row.lookup, default: []].append(row)
                left.insert(row.interaction.item)
            }
            var batch = parted.rest
            batch.refusedItems += left.sorted().map { leftItem(staged.importID, $0) }
            left = []
            let made = try takeKey()
            let own = StagedImports.OwnBatch(file: old.file + 1, key: made.key)
            var folder = stagedImports
            folder.own[sequence] = own
            try folder.write(batch, importID: staged.importID, sequence: sequence, key: own.key)
            try db.execute(
                sql: "UPDATE staged_batches SET file = ?, slot = ?, key = ? WHERE import = ? AND sequence = ?",
                arguments: [own.file, made.reference.slot, made.reference.id, staged.importID, sequence])
            keyChanges.obsolete.append(old.reference)
            rewritten[sequence] = own
            let place = staged.folder.place(staged.importID, sequence)
            // What is left is deleted at the next start.
            afterCommit.append { [self] in try? stagedImports.remove([place]) }
        }
        return (rows, rewritten)
    }

    private func itemsHad(by selection: ForgetSelection, _ db: Database) throws -> Set<String> {
        let catalogue = try catalogue(db)
        var tokens: Set<String> = []
        for choice in selection.people {
            guard let known = try choice.known ?? person(choice.id, db) else { continue }
            tokens.formUnion(known.person.interactions.compactMap { catalogue[$0.item]?.token })
        }
        return tokens
    }

    /// What stands for an item that somebody had who was forgotten meanwhile: it must not lie in clear among what is staged.
    private func leftItem(_ importID: String, _ item: String) -> String {
        pseudonym("left item", importID, item).hexadecimal
    }
}
