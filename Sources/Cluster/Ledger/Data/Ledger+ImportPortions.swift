import Foundation
import GRDB
import Messages
import Recommendation

/// Imports that are taken in by portions. Between two of them anything may happen to the ledger but what would change the data
/// of the rest: a forget request for somebody whom the import names has that person's rows taken in first.
extension Ledger {
    /// Imports that were begun and are to be continued.
    package func importsUnderWay() throws -> [String] { try read(importsBeingTaken) }

    /// One portion.
    ///
    /// - Throws: `LedgerError.unknownImport` for one that is not under way; `.tooManyPrompts`, when the rest does not fit: it is
    ///   dropped then, and whoever was taken in stays. After any other error it can be continued.
    package func continueImport(
        importID: String, at time: Date, portion: ImportPortion = ImportPortion()
    ) throws -> ImportProgress {
        do {
            return try abandoningImport(importID, at: time) {
                try commit { db in try takePortion(of: importID, portion, at: time, db) }
            }
        } catch {
            readers[importID] = nil
            throw error
        }
    }

    /// What is left, at one go, within a transaction that needs it.
    func takeRest(of importID: String, at time: Date, _ db: Database) throws {
        _ = try takePortion(of: importID, ImportPortion(seconds: .infinity), at: time, db)
        takeAsWritten()
    }

    /// Tokens of the items that imports under way name: they stay in the catalogue until those are taken in.
    func itemsBeingTaken(_ db: Database) throws -> Set<String> {
        var tokens: Set<String> = []
        for importID in try importsBeingTaken(db) {
            if takenItems[importID] == nil {
                var named: Set<String> = []
                try staged(importID, db)?.forEachItem { named.insert($0.token) }
                takenItems[importID] = named
            }
            tokens.formUnion(takenItems[importID] ?? [])
        }
        return tokens
    }

    private func takePortion(
        of importID: String, _ portion: ImportPortion, at time: Date, _ db: Database
    ) throws -> ImportProgress {
        guard var taking = try taking(importID, db), let prompts = try recordedPrompts(db),
            let staged = try staged(importID, sequences: 0..<max(0, taking.batches), db)
        else { throw LedgerError.unknownImport(id: importID) }
        let drawing = try drawing(taking.negatives ?? 0, from: staged, of: importID)
        var run = try ImportRun(self, continuing: taking, of: importID, with: prompts, drawing: drawing, db)
        let kept = readers.removeValue(forKey: importID)
        var reader = kept?.value(at: taking.position) ?? staged.reader(after: taking.position)
        taking.outcome.shortened = kept?.shortened
        let clock = ContinuousClock()
        let begin = clock.now
        var (people, isAtEnd) = (0, false)
        while !isAtEnd, people < portion.people, (clock.now - begin) < .seconds(min(portion.seconds, 1e9)) {
            switch try reader.step() {
            case .person(let person, let rows):
                try run.take(rows, db)
                taking.position = person
                people += 1
            case .reading: continue
            case .end: isAtEnd = true
            }
        }
        var outcome = run.outcome
        let uses = run.rebuilding.uses
        outcome.shardsChanged = try finish(&run.rebuilding, db)
        try requireRoom(db)
        for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
        taking.outcome.add(outcome)
        if isAtEnd {
            try removeItemsLeft(by: importID, uses, db)
            return .done(try end(importID, taking.outcome, requestID: taking.requestID, at: time, db))
        }
        try set(taking, of: importID, db)
        let next = KeptReader(position: taking.position, reader: reader, shortened: taking.outcome.shortened)
        afterWriting.append { [self] in readers[importID] = next }
        return .underWay
    }

    // MARK: the marker

    func importsBeingTaken(_ db: Database) throws -> [String] {
        try String.fetchAll(db, sql: "SELECT import FROM imports WHERE taking IS NOT NULL ORDER BY import")
    }

    /// nil: not begun, or done.
    func taking(_ importID: String, _ db: Database) throws -> ImportTaking? {
        try Row.fetchOne(
            db, sql: "SELECT taking FROM imports WHERE import = ? AND taking IS NOT NULL", arguments: [importID]
        ).map { try $0.json("taking", in: "imports") }
    }

    func set(_ taking: ImportTaking, of importID: String, _ db: Database) throws {
        var taking = taking
        taking.outcome.shortened = nil
        try db.execute(
            sql: "UPDATE imports SET taking = ? WHERE import = ?",
            arguments: [try JSONEncoder.stable.encode(taking), importID])
    }
}

/// Where a portion ended, for the next.
struct KeptReader {
    var position: PersonLookup?
    var reader: StagedPeopleReader
    /// Ids of prompts, which are not written down.
    var shortened: [String]?

    /// nil: what it was to follow was taken back.
    func value(at other: PersonLookup?) -> StagedPeopleReader? { position == other ? reader : nil }
}

extension StagedBatches {
    func reader(after position: PersonLookup?) -> StagedPeopleReader {
        StagedPeopleReader(folder, importID: importID, batches: sequences, key: key, after: position)
    }
}
