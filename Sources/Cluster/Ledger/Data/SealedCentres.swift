import Crypto
import Files
import Foundation
import GRDB
import Messages

/// The centres that a data-dependent partition deals newcomers to: means of people's embeddings, and where one person (under
/// `semantic`, one prompt) is all there is near a centre, that embedding itself. They are recorded once, a sticky input, and lie
/// sealed under a key of their own, which goes with the last training prompt, and when one of them is given up
/// (`takeFromCentres`).
extension Ledger {
    /// nil: nobody was dealt out yet.
    ///
    /// - Throws: `LedgerError.corrupt` where they do not open; the next start goes on without them if their key is lost.
    func centres(_ db: Database) throws -> PartitionCentres? {
        guard let row = try Row.fetchOne(db, sql: "SELECT dimension, slot, key, centres FROM partition") else {
            return nil
        }
        guard let key = try livingKey(KeyReference(row: row, in: "partition")) else {
            throw LedgerError.corrupt(table: "partition", column: "key", reason: "is lost; so are the centres")
        }
        let sealed: Data = try row.value("centres", in: "partition")
        guard let bytes = try? SealedBytes.open(sealed, key: key, context: Self.centresContext),
            let values = LittleEndianFloats.floats(bytes),
            let centres = PartitionCentres(values, dimension: try row.count("dimension", in: "partition"))
        else { throw LedgerError.corrupt(table: "partition", column: "centres", reason: "do not open") }
        return centres
    }

    /// Which centres are on record: others have another key. nil: none are.
    func recordOfCentres(_ db: Database) throws -> KeyReference? {
        try Row.fetchOne(db, sql: "SELECT slot, key FROM partition").map { try KeyReference(row: $0, in: "partition") }
    }

    /// - `parts`: of each centre the people whose embeddings it was made of.
    /// - Returns: which record it is.
    func record(
        centres: [Float], dimension: Int, madeOf parts: [[Int64]], at time: Date, _ db: Database
    ) throws -> KeyReference {
        try write(parts: parts, db)
        return try insert(
            centres: LittleEndianFloats.bytes(centres), dimension: dimension, time: time.milliseconds, db)
    }

    /// Under another key.
    func replaceCentres(_ centres: PartitionCentres, _ db: Database) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT time, slot, key FROM partition") else { return }
        let time: Int64 = try row.value("time", in: "partition")
        keyChanges.obsolete.append(try KeyReference(row: row, in: "partition"))
        try db.execute(sql: "DELETE FROM partition")
        _ = try insert(
            centres: LittleEndianFloats.bytes(centres.values), dimension: centres.dimension, time: time, db)
    }

    /// Centres of a partition that nobody is left in say something about the people who were.
    func dropCentres(_ db: Database) throws {
        let row = try Row.fetchOne(db, sql: "SELECT slot, key FROM partition WHERE slot IS NOT NULL")
        if let row { keyChanges.obsolete.append(try KeyReference(row: row, in: "partition")) }
        try db.execute(sql: "DELETE FROM partition; DELETE FROM centre_parts")
    }

    /// Those that do not open: nobody could be dealt out any more.
    func loseDamagedCentres(at time: Date) throws {
        let areSound = try read { db in
            do {
                _ = try centres(db)
                return true
            } catch LedgerError.corrupt {
                return false
            }
        }
        if !areSound { try commit { try loseCentres(at: time, $0) } }
    }

    /// They do not open, or all of them are given up. Everybody stays where they are; who comes from now on is dealt to centres of the
    /// newcomers.
    func loseCentres(at time: Date, _ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "SELECT slot, key FROM partition") {
            if let reference = KeyReference(readable: row) { keyChanges.obsolete.append(reference) }
        }
        try db.execute(sql: "DELETE FROM partition; DELETE FROM centre_parts")
        try audit(db, "centres lost", [String: Int](), at: time)
    }

    /// Those that a release before left in clear.
    func sealOlderCentres() throws {
        let isDue = try read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM partition WHERE slot IS NULL AND key IS NULL)")
        }
        guard isDue == true else { return }
        try commit { db in
            try sealCentres(db)
            try Meta.purgePending.set(true, db)
        }
    }

    /// All pages of the table go, overwritten, before any is written.
    func sealCentres(_ db: Database) throws {
        let row = try Row.fetchOne(
            db, sql: "SELECT dimension, centres, time FROM partition WHERE slot IS NULL AND key IS NULL")
        guard let row else { return }
        let centres: Data = try row.value("centres", in: "partition")
        try db.execute(sql: "DELETE FROM partition")
        _ = try insert(
            centres: centres, dimension: row.count("dimension", in: "partition"),
            time: row.value("time", in: "partition"), db)
    }

    private func insert(
        centres: some DataProtocol, dimension: Int, time: Int64, _ db: Database
    ) throws -> KeyReference {
        let made = try takeKey()
        try db.execute(
            sql: "INSERT INTO partition (id, dimension, centres, time, slot, key) VALUES (1, ?, ?, ?, ?, ?)",
            arguments: [
                dimension, try Self.sealed(centres, made.key, Self.centresContext), time, made.reference.slot,
                made.reference.id,
            ])
        return made.reference
    }

    private static let centresContext = "centres"
}
