import Foundation
import GRDB
import Messages
import Recommendation

/// People whose record does not open: a damaged row, or a key that is lost. They are set aside under their hash, and everybody
/// else goes on; adapters that saw them are trained anew without them, and a forget request for one of them still finds what
/// there is to forget.
extension Ledger {
    /// The catalogue with its counts; reads everybody's record the first time.
    func catalogue(_ db: Database) throws -> Catalogue {
        if let cachedCatalogue { return cachedCatalogue }
        let catalogue = try Catalogue(db, likeAbove: recordedPrompts(db)?.likeAbove)
        damagedPeople = []
        let rows = try Row.fetchCursor(db, sql: "SELECT \(Self.recordColumns) FROM people ORDER BY id")
        while let row = try rows.next() {
            do {
                let known = try open(row)
                for item in known.person.itemsNamed { try catalogue.use(item) }
                catalogue.likes.set(
                    known.person.likes(in: catalogue), of: known.id, draw: candidateDraw(of: known.person.name))
            } catch LedgerError.corrupt {
                let id: Int64 = try row.value("id", in: "people")
                if !damagedPeople.contains(id) { damagedPeople.append(id) }
            }
        }
        catalogue.likes.settle()
        // What a transaction that is under way wrote may yet be undone.
        catalogueIsChanging = db.isInsideTransaction
        cachedCatalogue = catalogue
        return catalogue
    }

    /// Whether somebody's record was found damaged and is to be set aside.
    package var hasDamagedPeople: Bool { !damagedPeople.isEmpty }

    /// Sets aside whoever was found damaged: when the ledger was opened, or since.
    package func setDamagedPeopleAside(at time: Date) throws {
        guard !damagedPeople.isEmpty else { return }
        let damaged = damagedPeople
        // What the damaged records were counted with is read anew, without them.
        defer { cachedCatalogue = nil }
        cachedShortened = nil
        try commit { db in
            var touched: Set<Int> = []
            for id in damaged {
                guard
                    let row = try Row.fetchOne(
                        db, sql: "SELECT lookup, slot, key FROM people WHERE id = ?", arguments: [id])
                else { continue }
                let lookup: Data = try row.value("lookup", in: "people")
                let shards = try Int.fetchAll(
                    db, sql: "SELECT shard FROM members WHERE person = ? ORDER BY shard", arguments: [id])
                touched.formUnion(shards)
                // Where the row does not say any more which key it was, nobody owns it.
                if let reference = try? KeyReference(row: row, in: "people") { keyChanges.obsolete.append(reference) }
                try db.execute(
                    sql: "INSERT INTO damaged_people (lookup, shards, time) VALUES (?, ?, ?)",
                    arguments: [lookup, try JSONEncoder.stable.text(shards), time.milliseconds])
                try uncountMargins(of: id, db)
                try db.execute(sql: "DELETE FROM members WHERE person = ?", arguments: [id])
                try db.execute(sql: "DELETE FROM people WHERE id = ?", arguments: [id])
                noteChange(of: id)
                try audit(db, "person damaged", DamageDetail(person: lookup.hexadecimal, shards: shards), at: time)
            }
            // Nobody can say of them any more, once they are forgotten, what they are part of.
            try takeFromCentres(Set(damaged), at: time, db)
            for shard in try recount(touched, db) { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
        }
        damagedPeople = []
    }

    /// Counts shards, all splits and the reference prompts from the records that are left. Returns the shards whose manifest is
    /// another one now.
    private func recount(_ shards: Set<Int>, _ db: Database) throws -> [Int] {
        let others = Split.allCases.map { Summaries.Place.split($0) } + [.references]
        var summaries = Summaries(recounting: Set(shards.map { .shard($0) } + others))
        let context = try promptContext(db)
        var (people, interactions) = (0, 0)
        try forEachPerson(db) { known in
            people += 1
            interactions += known.person.interactions.count
            for prompt in try prompts(of: known, context) { summaries.recount(prompt) }
        }
        try db.execute(sql: "UPDATE totals SET people = ?, interactions = ?", arguments: [people, interactions])
        return try write(summaries, db)
    }

    func isDamaged(_ lookup: PersonLookup, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM damaged_people WHERE lookup = ?)"),
            arguments: [lookup.bytes]) ?? false
    }

    /// Shards that had prompts of the person.
    func damagedShards(_ lookup: PersonLookup, _ db: Database) throws -> [Int] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT shards FROM damaged_people WHERE lookup = ?", arguments: [lookup.bytes])
        return try Set(rows.flatMap { try $0.json("shards", in: "damaged_people") as [Int] })
            .filter { (0..<configuration.shards).contains($0) }.sorted()
    }

    /// Forgets what is left. Returns the shards that had prompts of the person.
    func buryDamaged(_ lookup: PersonLookup, _ db: Database) throws -> [Int] {
        let shards = try damagedShards(lookup, db)
        try db.execute(sql: "DELETE FROM damaged_people WHERE lookup = ?", arguments: [lookup.bytes])
        return shards
    }

    /// Whether a request for single interactions with an item has anything to do with somebody's damaged record, which cannot be
    /// asked any more. It has not where all of it was forgotten already, and where the person is there again and adapters that saw
    /// the damaged record are gone.
    ///
    /// - `isThere`: there is a record that opens.
    func concernsDamaged(
        _ target: ClientRequest.ForgetRequest.Target, isThere: Bool, _ db: Database
    ) throws -> Bool {
        let lookup = lookup(target.user)
        guard try isDamaged(lookup, db) else { return false }
        if try !damagedShards(lookup, db).isEmpty { return true }
        return try !isThere && !wasForgotten(target, ofDamaged: true, db)
    }

    /// Forgets single interactions, whichever they were: nothing that saw the person is left then. Returns the shards that had
    /// prompts of the person.
    func clearDamaged(_ lookup: PersonLookup, _ db: Database) throws -> [Int] {
        let shards = try damagedShards(lookup, db)
        try db.execute(sql: "UPDATE damaged_people SET shards = '[]' WHERE lookup = ?", arguments: [lookup.bytes])
        return shards
    }

    private struct DamageDetail: Encodable {
        /// `PersonLookup`
        var person: String
        var shards: [Int]
    }
}
