import GRDB
import Messages
import Recommendation
import Unlearning

/// To which slices an import deals people who were not there before. Where somebody was dealt is kept with the record and never
/// changes: whoever comes or goes later moves nobody.
struct NewcomerDealing: Codable, Hashable, Sendable {
    /// Everybody goes to the last slice, so that the others need not be trained again.
    var toLast = false
    /// The import names some, by hash, who go to the last slice because they will probably leave (`import_leavers`).
    var hasLeavers = false

    var isByHash: Bool { !toLast && !hasLeavers }

    /// Nobody was dealt yet.
    func begin(_ outcome: inout ImportOutcome) {
        if !isByHash { outcome.dealtToLast = 0 }
        if hasLeavers { outcome.leaversDealt = 0 }
    }
}

extension Ledger {
    /// Writes down how an import deals people.
    ///
    /// - Throws: `LedgerError.undealtPeople`, `.invalidRow`.
    func recordDealing(_ people: NewPeople, leavers: [String], of importID: String, _ db: Database) throws
        -> NewcomerDealing
    {
        let dealing = NewcomerDealing(toLast: people == .last, hasLeavers: !leavers.isEmpty)
        if dealing.isByHash { return dealing }
        guard configuration.training.dealing(of: configuration.partition) != nil else {
            throw LedgerError.undealtPeople(slices: configuration.training.slices, partition: configuration.partition)
        }
        let insert = try db.makeStatement(sql: "INSERT OR IGNORE INTO import_leavers (import, lookup) VALUES (?, ?)")
        for leaver in leavers {
            guard let name = try? Identifier.canonical(leaver) else {
                throw LedgerError.invalidRow(
                    reason: "the list of people who will probably leave has a line that names nobody")
            }
            try insert.execute(arguments: [importID, lookup(name).bytes])
        }
        return dealing
    }

    /// Where somebody goes who is new, which is counted. nil: by the hash.
    func slice(
        ofNewcomer name: String, _ dealing: NewcomerDealing, importID: String, _ outcome: inout ImportOutcome,
        _ db: Database
    ) throws -> Int? {
        var isLeaver = false
        if dealing.hasLeavers {
            isLeaver =
                try Bool.fetchOne(
                    db.cachedStatement(
                        sql: "SELECT EXISTS (SELECT 1 FROM import_leavers WHERE import = ? AND lookup = ?)"),
                    arguments: [importID, lookup(name).bytes]) ?? false
        }
        guard dealing.toLast || isLeaver else { return nil }
        outcome.dealtToLast = (outcome.dealtToLast ?? 0) + 1
        if isLeaver { outcome.leaversDealt = (outcome.leaversDealt ?? 0) + 1 }
        return configuration.training.slices
    }
}
