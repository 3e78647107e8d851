import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Takes the staged batches in, person by person, and computes the prompts of the people concerned and the manifests of
    /// the shards.
    ///
    /// What becomes of a person depends on nobody else, as a rule: then people are taken in a portion at a time, and whatever
    /// else waits for the ledger goes in between. Killed in the middle, the import has given each person the old or the new
    /// state; it is under way (`importsUnderWay`) until `continueImport` has taken in the rest. Where an import concerns others
    /// than those whom it names (another prompt configuration, another title of an item that is there, new rows under tallrec,
    /// which shift the benchmark's positions), it is one transaction. One at a time: of two that name somebody the later one counts.
    ///
    /// - `batches`: how many batches there are: sequence numbers 0 ..< batches.
    /// - `prompts`: taken as a whole where no configuration is recorded.
    /// - `given`: the fields of it that were asked for. The others stay as they are recorded.
    /// - `changePrompts`: the given fields may differ from the recorded ones; that is an audit entry of its own.
    /// - `people`: to which slices people go whom the ledger does not know yet.
    /// - `leavers`: of these, those who go to the last slice in any case.
    /// - `negatives`: how many are drawn for each like among the rows that has none, out of the import's items (`NegativePool`).
    /// - `requestID`: under this id `importOutcome` knows what was done, from the same commit on.
    /// - Throws: `LedgerError.importIncomplete`, `.unknownImport`, `.promptsDiffer`, `.undealtPeople`, `.undrawable` or
    ///   `.conflictingTitles` (what was staged is dropped after these four); `RecommendationError.invalidConfiguration`.
    package func beginImport(
        importID: String, batches: Int, prompts: PromptConfiguration, given: [PromptField] = PromptField.allCases,
        changePrompts: Bool = false, people: NewPeople = .hash, leavers: [String] = [], negatives: Int = 0,
        at time: Date, requestID: String? = nil
    ) throws -> ImportProgress {
        if try read({ try taking(importID, $0) }) != nil { return .underWay }
        guard try importsUnderWay().isEmpty else { return .waiting }
        return try abandoningImport(importID, at: time) {
            try begin(
                importID: importID, batches: batches, prompts: prompts, given: given, changePrompts: changePrompts,
                people: people, leavers: leavers, negatives: negatives, at: time, requestID: requestID)
        }
    }

    /// Drops what is staged of an import that can never be taken in.
    func abandoningImport<Result>(_ importID: String, at time: Date, _ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch let error as LedgerError {
            switch error {
            case .promptsDiffer, .conflictingTitles, .tooManyPrompts, .undealtPeople, .undrawable:
                try abandonImport(importID: importID, at: time)
            // Of one that is under way, what is damaged or without its key never comes back.
            case .corrupt(let path, _) where path.hasSuffix(StagedPlace.suffix):
                if try read({ try taking(importID, $0) }) != nil { try abandonImport(importID: importID, at: time) }
            default: break
            }
            throw error
        }
    }

    private func begin(
        importID: String, batches: Int, prompts wanted: PromptConfiguration, given: [PromptField], changePrompts: Bool,
        people: NewPeople, leavers: [String], negatives: Int, at time: Date, requestID: String?
    ) throws -> ImportProgress {
        // Titles change, and what becomes of prompts with them.
        cachedShortened = nil
        return try commit { db in
            let before = try recordedPrompts(db)
            let prompts = before?.taking(given, from: wanted) ?? wanted
            _ = try PromptBuilder(configuration: prompts)
            let changes = before?.changes(to: prompts) ?? []
            guard changes.isEmpty || changePrompts else { throw LedgerError.promptsDiffer(changes) }
            let refused = try requireComplete(importID, batches: batches, db)
            let staged = try staged(importID, sequences: 0..<max(0, batches), db)
            let dealing = try recordDealing(people, leavers: staged == nil ? [] : leavers, of: importID, db)
            let drawing = try drawing(negatives, from: staged, of: importID)
            var run = try ImportRun(
                self, importID: importID, batches: staged, from: before, to: prompts, dealing: dealing,
                drawing: drawing, db)
            run.outcome.rowsRefused = refused
            try run.takeItems(importID: importID, db)
            if before != prompts { try Meta.promptConfiguration.set(prompts, db) }
            // Whoever is there counts with other items now: everybody's are read anew.
            if before?.likeAbove != prompts.likeAbove { afterWriting.append { [self] in cachedCatalogue = nil } }
            try db.execute(sql: "UPDATE totals SET imports = ?", arguments: [run.number])
            // Nobody is there before the first import, so that nobody else is concerned.
            if staged != nil, !run.concernsOthers(isFirst: before == nil) {
                let taking = ImportTaking(
                    batches: batches, number: run.number, outcome: run.outcome, requestID: requestID,
                    dealing: dealing.isByHash ? nil : dealing, negatives: drawing?.count)
                try set(taking, of: importID, db)
                return .underWay
            }
            try run.takeRows(db)
            var outcome = run.outcome
            outcome.shardsChanged = try finish(&run.rebuilding, db)
            try requireRoom(db)
            for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            if !changes.isEmpty {
                try Meta.promptsChange.set(PromptsChange(time: time.milliseconds, changes: changes), db)
                try audit(db, "change prompts", ["changes": changes], at: time)
            }
            return .done(try end(importID, outcome, requestID: requestID, at: time, db))
        }
    }

    /// The last of an import: what was staged goes.
    func end(
        _ importID: String, _ outcome: ImportOutcome, requestID: String?, at time: Date, _ db: Database
    ) throws -> ImportOutcome {
        var outcome = outcome
        outcome.shortened = outcome.shortened.map { Array($0.sorted().prefix(ImportOutcome.namedPrompts)) }
        try clearStaging(importID, db)
        try audit(db, "import", outcome.withoutNames, at: time)
        if let requestID {
            // Whoever asks again is told what was done, also if nothing could be read after the commit.
            let body = try JSONEncoder.stable.encode(outcome.withoutNames)
            try insert(reply: body, requestID: Ledger.outcomePrefix + requestID, db)
        }
        return outcome
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
}
