import Crypto
import Foundation
import GRDB
import Messages
import Recommendation

/// The batches of one import, with what opens them.
struct StagedBatches {
    var folder: StagedImports
    var importID: String
    var sequences: [Int]
    var key: SymmetricKey

    func forEachItem(_ body: (StagedItem) throws -> Void) throws {
        try folder.forEachItem(importID: importID, batches: sequences, key: key, body)
    }

    func refusedItems() throws -> Set<String> {
        try folder.refusedItems(importID: importID, batches: sequences, key: key)
    }

    func people() throws -> Set<PersonLookup> {
        try folder.people(importID: importID, batches: sequences, key: key)
    }

    /// nil: the batch has no rows of these people.
    func parted(from people: Set<PersonLookup>, _ sequence: Int) throws -> (rest: StagedBatch, rows: [StagedRow])? {
        try folder.parted(from: people, importID: importID, batch: sequence, key: key)
    }

    func rows(of person: PersonLookup) throws -> [StagedRow] {
        try folder.rows(of: person, importID: importID, batches: sequences, key: key)
    }

    func forEachPerson(_ body: (PersonLookup, [StagedRow]) throws -> Void) throws {
        try folder.forEachPerson(importID: importID, batches: sequences, key: key, body)
    }
}

extension Ledger {
    /// Keeps one batch of an import aside, sealed. A batch that is already there is ignored. Rows of forgotten people and
    /// forgotten interactions do not even get that far.
    ///
    /// - Throws: `LedgerError.invalidRow`.
    package func stage(
        importID: String, sequence: Int, items: [Item], interactions: [Interaction], at time: Date
    ) throws {
        guard !importID.isEmpty, sequence >= 0 else {
            throw LedgerError.invalidRow(reason: "a batch needs the id of its import and a number from 0")
        }
        for item in items where item.id.normalised.isEmpty || item.title.isEmpty {
            throw LedgerError.invalidRow(reason: "an item needs an identifier and a title")
        }
        let rows = try interactions.map { row in
            var row = row
            (row.user, row.item) = (row.user.normalised, row.item.normalised)
            guard !row.user.isEmpty, !row.item.isEmpty, row.rating.isFinite else {
                throw LedgerError.invalidRow(
                    reason: "row \(row.ordinal): a row needs identifiers of user and item and a finite rating")
            }
            return row
        }
        try commit { db in
            let isThere = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM staged_batches WHERE import = ? AND sequence = ?)",
                arguments: [importID, sequence])
            guard isThere != true else {
                // Whoever sends it again goes on with the import.
                return try db.execute(
                    sql: "UPDATE staged_batches SET time = MAX(time, ?) WHERE import = ? AND sequence = ?",
                    arguments: [time.milliseconds, importID, sequence])
            }
            var batch = StagedBatch(
                rows: [],
                items: items.map {
                    StagedItem(
                        token: $0.id.normalised, title: $0.title, fields: $0.fields.flatMap(ItemFields.canonical))
                }, refusedItems: [])
            batch.rows.reserveCapacity(interactions.count)
            var forgotten = try ForgottenInteractions(ledger: self, db)
            var refused = 0
            var last: (user: String, lookup: PersonLookup)?
            for new in rows {
                if try forgotten.contains(new.key) {
                    refused += 1
                    batch.refusedItems.append(refusedItem(importID, new.item))
                    continue
                }
                if last?.user != new.user { last = (new.user, lookup(new.user)) }
                if let last { batch.rows.append(StagedRow(lookup: last.lookup, interaction: new)) }
            }
            _ = try importKey(importID, db)
            let own = try takeKey()
            try stagedImports.write(batch, importID: importID, sequence: sequence, key: own.key)
            try db.execute(
                sql: """
                    INSERT INTO staged_batches (import, sequence, time, refused, slot, key) VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [importID, sequence, time.milliseconds, refused, own.reference.slot, own.reference.id])
            if stagedPeople[importID] != nil {
                let people = batch.rows.map(\.lookup)
                afterWriting.append { [self] in stagedPeople[importID]?.formUnion(people) }
            }
        }
    }

    /// The key of an import in progress, of those batches that have none of their own; made with its first batch.
    func importKey(_ importID: String, _ db: Database) throws -> SymmetricKey {
        if let known = try importReference(importID, db) {
            guard let key = try livingKey(known) else { throw LedgerError.unknownImport(id: importID) }
            return key
        }
        let made = try takeKey()
        try db.execute(
            sql: "INSERT INTO imports (import, slot, key) VALUES (?, ?, ?)",
            arguments: [importID, made.reference.slot, made.reference.id])
        return made.key
    }

    /// nil: nothing is staged under this id.
    func importReference(_ importID: String, _ db: Database) throws -> KeyReference? {
        try Row.fetchOne(db, sql: "SELECT slot, key FROM imports WHERE import = ?", arguments: [importID])
            .map { try KeyReference(row: $0, in: "imports") }
    }

    /// nil: nothing is staged under this id.
    func staged(_ importID: String, sequences: some Sequence<Int>, _ db: Database) throws -> StagedBatches? {
        guard let reference = try importReference(importID, db) else { return nil }
        guard let key = try livingKey(reference) else { throw LedgerError.unknownImport(id: importID) }
        var folder = stagedImports
        folder.own = try ownBatches(importID, db).mapValues { batch in
            guard let key = try livingKey(batch.reference) else { throw LedgerError.unknownImport(id: importID) }
            return StagedImports.OwnBatch(file: batch.file, key: key)
        }
        return StagedBatches(folder: folder, importID: importID, sequences: Array(sequences), key: key)
    }

    /// Batches with a key of their own, by number.
    func ownBatches(_ importID: String, _ db: Database) throws -> [Int: (file: Int, reference: KeyReference)] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT sequence, file, slot, key FROM staged_batches WHERE import = ? AND slot IS NOT NULL",
            arguments: [importID])
        return try rows.reduce(into: [:]) { found, row in
            let file = try row.count("file", in: "staged_batches")
            found[try row.count("sequence", in: "staged_batches")] = (
                file, try KeyReference(row: row, in: "staged_batches")
            )
        }
    }

    /// Of the files of all that is staged.
    func namesOfBatches(_ db: Database) throws -> Set<String> {
        let rows = try Row.fetchAll(db, sql: "SELECT import, sequence, file FROM staged_batches")
        return try Set(
            rows.map { row in
                StagedPlace.name(
                    importID: try row.value("import", in: "staged_batches"),
                    sequence: try row.count("sequence", in: "staged_batches"),
                    file: try row.count("file", in: "staged_batches"))
            })
    }

    func staged(_ importID: String, _ db: Database) throws -> StagedBatches? {
        let sequences = try Int.fetchAll(
            db, sql: "SELECT sequence FROM staged_batches WHERE import = ? ORDER BY sequence", arguments: [importID])
        return try staged(importID, sequences: sequences, db)
    }

    /// Drops what is staged of an import whose client says that it will not go on; what is not staged is none.
    ///
    /// - Throws: `LedgerError.invalidRequest` for one that is being taken in: some people have the new state already.
    package func dropImport(importID: String, at time: Date) throws {
        let (isStaged, isTaken) = try read { db in
            (try importReference(importID, db) != nil, try taking(importID, db) != nil)
        }
        guard !isTaken else {
            throw LedgerError.invalidRequest(
                reason: "the import \(importID) is being taken in: it can be dropped no more")
        }
        if isStaged { try abandonImport(importID: importID, at: time) }
    }

    /// Drops what is staged of imports that nobody has continued for `stagingLifetime`; none while one is being taken in, for
    /// which others may wait.
    ///
    /// - Returns: their ids.
    @discardableResult
    package func dropAbandonedImports(at time: Date) throws -> [String] {
        guard try importsUnderWay().isEmpty else { return [] }
        let last = time.addingTimeInterval(-Ledger.stagingLifetime)
        let stale = try read { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT import FROM staged_batches JOIN imports USING (import) WHERE taking IS NULL
                    GROUP BY import HAVING MAX(time) < ? ORDER BY import
                    """,
                arguments: [last.milliseconds])
        }
        for importID in stale { try abandonImport(importID: importID, at: time) }
        return stale
    }

    /// Drops what is staged of an import that can never be taken in, or that its client gave up.
    package func abandonImport(importID: String, at time: Date) throws {
        try commit { db in
            try dropStaging(importID, db)
            try audit(db, "abandon import", [String: Int](), at: time)
        }
    }

    /// Of an import that comes to no end.
    func dropStaging(_ importID: String, _ db: Database) throws {
        try removeItemsLeft(byDropped: importID, db)
        try clearStaging(importID, db)
    }

    /// The batches are noise once this is committed; their files go right after.
    func clearStaging(_ importID: String, _ db: Database) throws {
        let row = try Row.fetchOne(db, sql: "SELECT slot, key FROM imports WHERE import = ?", arguments: [importID])
        guard let row else { return }
        let batches = try Row.fetchAll(
            db, sql: "SELECT slot, key FROM staged_batches WHERE import = ? AND slot IS NOT NULL ORDER BY sequence",
            arguments: [importID])
        // Of a row that does not say any more which key it was nobody knows it: the next start overwrites it.
        keyChanges.obsolete += ([row] + batches).compactMap { KeyReference(readable: $0) }
        try db.execute(sql: "DELETE FROM staged_batches WHERE import = ?", arguments: [importID])
        try db.execute(sql: "DELETE FROM imports WHERE import = ?", arguments: [importID])
        afterWriting.append { [self] in
            (stagedPeople[importID], readers[importID], takenItems[importID]) = (nil, nil, nil)
            takenPools[importID] = nil
        }
        // What is left is deleted at the next start.
        afterCommit.append { [self] in try? stagedImports.remove(importID: importID) }
    }

    // MARK: what a forget request asks

    /// Imports in progress that hold rows of somebody.
    func importsHolding(_ name: String, _ db: Database) throws -> [String] {
        let lookup = lookup(name)
        return try String.fetchAll(db, sql: "SELECT import FROM imports ORDER BY import").filter { importID in
            if stagedPeople[importID] == nil { stagedPeople[importID] = try staged(importID, db)?.people() ?? [] }
            return stagedPeople[importID]?.contains(lookup) == true
        }
    }

    /// Imports in progress that hold rows of the user with the item, and when those happened.
    func stagedInteractions(
        user: String, item: String, timestamp: Int64?, _ db: Database
    ) throws -> (imports: [String], timestamps: [Int64]) {
        var (imports, timestamps): ([String], Set<Int64>) = ([], [])
        for importID in try importsHolding(user, db) {
            let rows = try staged(importID, db)?.rows(of: lookup(user)).map(\.interaction) ?? []
            let found = rows.filter {
                $0.user == user && $0.item == item && (timestamp == nil || $0.timestamp == timestamp)
            }
            guard !found.isEmpty else { continue }
            imports.append(importID)
            timestamps.formUnion(found.map(\.timestamp))
        }
        return (imports, timestamps.sorted())
    }
}
