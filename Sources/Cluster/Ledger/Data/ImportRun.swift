import Foundation
import GRDB
import Messages
import Recommendation

/// One import on its way into people's records, within one transaction.
struct ImportRun {
    var outcome = ImportOutcome()
    var rebuilding: Rebuilding
    let ledger: Ledger
    /// nil: no batch has anything.
    private let batches: StagedBatches?
    private let prompts: PromptConfiguration
    private let changesPrompts: Bool
    /// Of all imports that there ever were.
    let number: Int64
    private let importID: String
    private var dealing = NewcomerDealing()
    /// Whether it is on record that people were dealt.
    private var hasDealt = false
    /// What items were before, of those that prompts call otherwise now.
    private var renamed: [Int64: Catalogue.Entry] = [:]
    private let catalogue: Catalogue
    /// nil: no negatives are drawn.
    private let drawing: NegativeDrawing?

    init(
        _ ledger: Ledger, importID: String, batches: StagedBatches?, from before: PromptConfiguration?,
        to prompts: PromptConfiguration, dealing: NewcomerDealing, drawing: NegativeDrawing?, _ db: Database
    ) throws {
        self.importID = importID
        self.drawing = drawing
        if drawing != nil { outcome.negativesDrawn = 0 }
        self.dealing = dealing
        dealing.begin(&outcome)
        self.ledger = ledger
        self.batches = batches
        self.prompts = prompts
        changesPrompts = before != prompts
        catalogue = try ledger.catalogue(db)
        number = try (Int64.fetchOne(db, sql: "SELECT imports FROM totals") ?? 0).next("imports", in: "totals")
        rebuilding = try Rebuilding(
            ledger, from: before.map { try ledger.promptContext($0, db) }, to: ledger.promptContext(prompts, db), db)
    }

    /// A portion of an import that was begun: nothing but people's records changes any more.
    init(
        _ ledger: Ledger, continuing taking: ImportTaking, of importID: String, with prompts: PromptConfiguration,
        drawing: NegativeDrawing?, _ db: Database
    ) throws {
        self.importID = importID
        self.drawing = drawing
        if drawing != nil { outcome.negativesDrawn = 0 }
        dealing = taking.dealing ?? NewcomerDealing()
        dealing.begin(&outcome)
        self.ledger = ledger
        self.prompts = prompts
        number = taking.number
        batches = nil
        changesPrompts = false
        catalogue = try ledger.catalogue(db)
        let context = try ledger.promptContext(prompts, db)
        rebuilding = try Rebuilding(ledger, from: context, to: context, db)
    }

    /// Whether people are concerned whom the import does not name.
    ///
    /// - Parameter isFirst: nobody was there before.
    func concernsOthers(isFirst: Bool) -> Bool {
        prompts.method == .tallrec || !renamed.isEmpty || (changesPrompts && !isFirst)
    }

    /// Brings one person's record up to date.
    mutating func take(_ rows: [StagedRow], _ db: Database) throws {
        let known = try person(rows, db)
        let merged = try merge(rows, into: known, db)
        guard merged != known?.person else { return }
        try rebuilding.rebuild(from: known, to: merged, &outcome, db)
    }

    /// Brings the catalogue up to date.
    ///
    /// - Throws: `LedgerError.conflictingTitles`: an item has one title, so somebody's text was taken for one.
    mutating func takeItems(importID: String, _ db: Database) throws {
        guard let batches else { return }
        var named: [String: StagedItem] = [:]
        var order: [String] = []
        var conflicts: Set<String> = []
        try batches.forEachItem { item in
            if let known = named.updateValue(item, forKey: item.token) {
                if known != item { conflicts.insert(item.token) }
            } else {
                order.append(item.token)
            }
        }
        if let conflict = conflicts.min() { throw LedgerError.conflictingTitles(item: conflict) }
        // What negatives are drawn from was given as a table of items: it must not depend on who was forgotten.
        let hidden = drawing == nil ? try refused(order, importID: importID) : []
        let insert = try db.makeStatement(sql: "INSERT INTO items (id, token, title, fields) VALUES (?, ?, ?, ?)")
        let update = try db.makeStatement(sql: "UPDATE items SET title = ?, fields = ? WHERE id = ?")
        for token in order where !hidden.contains(token) {
            guard let item = named[token] else { continue }
            guard let known = catalogue.numbers(of: token).first, let entry = catalogue[known] else {
                ledger.catalogueIsChanging = true
                let fields = ItemFields.merged(nil, with: item.fields)
                let number = catalogue.add(token: token, title: item.title, fields: fields)
                try insert.execute(arguments: [number, token, item.title, try fields.map(Self.text)])
                outcome.itemsChanged += 1
                continue
            }
            let fields = ItemFields.merged(entry.fields, with: item.fields)
            if entry.title == item.title, entry.fields == fields { continue }
            ledger.catalogueIsChanging = true
            ledger.namesRevision += 1
            catalogue.set(title: item.title, fields: fields, of: known)
            try update.execute(arguments: [item.title, try fields.map(Self.text), known])
            outcome.itemsChanged += 1
            // Fields that no prompt shows change none.
            if rebuilding.changesName(of: entry, to: catalogue[known]) { renamed[known] = entry }
        }
        let old = rebuilding.old.map { context in
            var context = context
            context.entries = renamed
            return context
        }
        rebuilding = try Rebuilding(ledger, from: old, to: rebuilding.new, db)
    }

    private static func text(_ fields: [String: String]) throws -> String {
        String(decoding: try JSONEncoder.stable.encode(fields), as: UTF8.self)
    }

    /// Items that only rows of forgotten people name: they enter the catalogue only with somebody else's row.
    private func refused(_ tokens: [String], importID: String) throws -> Set<String> {
        guard let batches else { return [] }
        let hashes = try batches.refusedItems()
        guard !hashes.isEmpty else { return [] }
        var hidden = Set(
            tokens.filter {
                catalogue.numbers(of: $0).isEmpty && hashes.contains(ledger.refusedItem(importID, $0))
            })
        if !hidden.isEmpty { try batches.forEachPerson { for row in $1 { hidden.remove(row.interaction.item) } } }
        return hidden
    }

    /// Brings people's records up to date.
    mutating func takeRows(_ db: Database) throws {
        let isBenchmark = prompts.method == .tallrec
        guard changesPrompts || isBenchmark || !renamed.isEmpty else {
            try batches?.forEachPerson { try take($1, db) }
            return
        }
        var records = MergedRecords()
        try batches?.forEachPerson { _, rows in
            let known = try person(rows, db)
            let merged = try merge(rows, into: known, db)
            if merged != known?.person { records.add(merged, known?.id) }
        }
        let gainedTitles = renamed.values.contains { $0.title == nil }
        let everybody = changesPrompts || (isBenchmark && (outcome.rowsNew > 0 || gainedTitles))
        var targets: [InteractionKey: Split]?
        if isBenchmark && everybody { targets = try benchmarkSplits(records, db) }
        if everybody || !renamed.isEmpty {
            try ledger.forEachPerson(db) { known in
                let merged = try records.person(known.id)
                let isConcerned =
                    merged != nil || everybody
                    || known.person.itemsNamed.contains { renamed.keys.contains($0) }
                guard isConcerned else { return }
                let after = try recording(targets, in: merged ?? known.person)
                try rebuilding.rebuild(from: known, to: after, &outcome, db)
            }
        } else {
            for id in records.ids {
                guard let known = try ledger.person(id, db), let merged = try records.person(id) else { continue }
                try rebuilding.rebuild(from: known, to: merged, &outcome, db)
            }
        }
        for bytes in records.newcomers {
            let after = try recording(targets, in: Person(decoding: bytes))
            try rebuilding.rebuild(from: nil, to: after, &outcome, db)
        }
    }

    private func person(_ rows: [StagedRow], _ db: Database) throws -> KnownPerson? {
        guard let first = rows.first else { return nil }
        return try ledger.people(named: first.interaction.user, db).first
    }

    /// An interaction that is there with another rating is corrected and keeps its place in the order; of several rows that
    /// name one the last counts.
    private mutating func merge(_ rows: [StagedRow], into known: KnownPerson?, _ db: Database) throws -> Person {
        var person: Person
        if let known {
            person = known.person
        } else {
            let first = rows.map(\.interaction.ordinal).min() ?? 0
            let name = rows.first?.interaction.user ?? ""
            let slice = try ledger.slice(ofNewcomer: name, dealing, importID: importID, &outcome, db)
            if slice != nil, !hasDealt {
                try Meta.dealtSlices.set(true, db)
                hasDealt = true
            }
            person = Person(
                name: name, appearance: Person.Appearance(import: number, ordinal: first), slice: slice,
                interactions: [])
        }
        var places: [Place: Int] = [:]
        for (index, kept) in person.interactions.enumerated() {
            places[Place(item: kept.item, timestamp: kept.timestamp)] = index
        }
        var ratings: [Int: Double] = [:]
        // What rows name, under the names of the last.
        var named: [Int: InteractionKey] = [:]
        let there = person.interactions.count
        for row in rows {
            let row = row.interaction
            let place = Place(item: try item(row.item, db), timestamp: row.timestamp)
            named[places[place] ?? person.interactions.count] = row.key
            if let index = places[place] {
                ratings[index] = row.rating
            } else {
                places[place] = person.interactions.count
                person.interactions.append(
                    Person.Kept(
                        item: place.item, timestamp: row.timestamp, rating: row.rating, ordinal: row.ordinal))
            }
        }
        let new = person.interactions.count - there
        var corrected = 0
        for (index, rating) in ratings where person.interactions[index].rating != rating {
            person.interactions[index].rating = rating
            corrected += 1
        }
        try draw(for: named, of: &person, db)
        outcome.rowsNew += new
        outcome.rowsCorrected += corrected
        outcome.rowsAlreadyThere += rows.count - new - corrected
        if new > 0 {
            person.interactions = person.interactions.enumerated().sorted { left, right in
                (left.element.timestamp, left.element.ordinal, left.offset)
                    < (right.element.timestamp, right.element.ordinal, right.offset)
            }.map(\.element)
        }
        return person
    }

    /// Only what is a like and has none gets negatives: what was drawn once stays, whatever later tables of items hold.
    private mutating func draw(for named: [Int: InteractionKey], of person: inout Person, _ db: Database) throws {
        guard let drawing else { return }
        for (index, key) in named.sorted(by: { $0.key < $1.key }) {
            let kept = person.interactions[index]
            guard kept.rating > prompts.likeAbove, kept.negatives.isEmpty else { continue }
            let items = drawing.pool.draw(drawing.count, for: key, seed: ledger.configuration.seed)
            person.interactions[index].negatives = try items.map { try item($0, db) }
            outcome.negativesDrawn = (outcome.negativesDrawn ?? 0) + items.count
        }
    }

    private struct Place: Hashable {
        var item: Int64
        var timestamp: Int64
    }

    private func item(_ token: String, _ db: Database) throws -> Int64 {
        if let known = catalogue.numbers(of: token).first { return known }
        ledger.catalogueIsChanging = true
        let number = catalogue.add(token: token, title: nil)
        try db.cachedStatement(sql: "INSERT INTO items (id, token) VALUES (?, ?)").execute(arguments: [number, token])
        return number
    }
}
