import Foundation
import GRDB
import Messages

/// Whose embeddings the recorded centres were made of. A centre is sticky as long as it rests on several people of whom nothing was
/// forgotten; what rests on one is, beside that one's data, what was forgotten, and goes.
extension Ledger {
    /// People who still have to be part of a centre when somebody else was.
    private static let fewestParts = 2

    /// Whether all these people are there.
    func areThere(_ parts: [[Int64]], _ db: Database) throws -> Bool {
        let isThere = try db.makeStatement(sql: "SELECT EXISTS (SELECT 1 FROM people WHERE id = ?)")
        return try Set(parts.joined()).allSatisfy { try Bool.fetchOne(isThere, arguments: [$0]) == true }
    }

    func write(parts: [[Int64]], _ db: Database) throws {
        try db.execute(sql: "DELETE FROM centre_parts")
        let insert = try db.makeStatement(sql: "INSERT INTO centre_parts (person, centre) VALUES (?, ?)")
        for (centre, people) in parts.enumerated() {
            for person in people { try insert.execute(arguments: [person, centre]) }
        }
    }

    /// Of these people something is forgotten: they are part of no centre any more. A centre that too few are left of is given up:
    /// the others are written anew under another key, and its bytes are noise with the key of before. Nobody moves; newcomers are
    /// dealt to what is left (`PartitionCentres.dealtTo`), or to centres of their own where that is nothing.
    func takeFromCentres(_ people: Set<Int64>, at time: Date, _ db: Database) throws {
        guard try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM partition)") == true else { return }
        let isKnown = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM centre_parts)")
        // Whom those rest on that a release before recorded nobody knows.
        guard isKnown == true else { return try loseCentres(at: time, db) }
        var concerned: Set<Int> = []
        for person in people.sorted() {
            let centres = try Int.fetchAll(
                db.cachedStatement(sql: "SELECT centre FROM centre_parts WHERE person = ?"), arguments: [person])
            concerned.formUnion(centres)
            try db.cachedStatement(sql: "DELETE FROM centre_parts WHERE person = ?").execute(arguments: [person])
        }
        let thin = try concerned.sorted().filter { centre in
            let left = try Int.fetchOne(
                db, sql: "SELECT COUNT(*) FROM (SELECT 1 FROM centre_parts WHERE centre = ? LIMIT ?)",
                arguments: [centre, Self.fewestParts])
            return (left ?? 0) < Self.fewestParts
        }
        guard !thin.isEmpty else { return }
        for centre in thin { try db.execute(sql: "DELETE FROM centre_parts WHERE centre = ?", arguments: [centre]) }
        let left: PartitionCentres?
        do {
            left = try centres(db)?.givingUp(thin)
        } catch LedgerError.corrupt {
            left = nil
        }
        guard let left else { return try loseCentres(at: time, db) }
        try replaceCentres(left, db)
    }
}
