import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

/// A person whose record was opened.
struct KnownPerson {
    var id: Int64
    var lookup: PersonLookup
    var reference: KeyReference
    var key: SymmetricKey
    /// Under the partition by user.
    var shard: Int?
    var person: Person
    /// `PersonSummary`, sealed; nil: not read, or written by a release that had none.
    var sealedSummary: Data?

    /// nil: there is none that opens. What it says follows from the record as well.
    var summary: PersonSummary? {
        sealedSummary.flatMap { try? SealedBytes.open($0, key: key, context: SymmetricKey.summaryContext) }
            .flatMap { try? PersonSummary(decoding: $0) }
    }
}

extension SymmetricKey {
    static let recordContext = "record"
    static let summaryContext = "summary"

    var forEmbeddings: SymmetricKey { derived(for: "embeddings") }
    /// Of the adapter with this serial.
    func forMargins(adapter: Int64) -> SymmetricKey { derived(for: "margins of adapter \(adapter)") }
}

extension Ledger {
    func lookup(_ name: String) -> PersonLookup { PersonLookup(of: name, key: lookupKey) }

    /// People that a name stands for, today's spelling first.
    func people(named name: String, _ db: Database) throws -> [KnownPerson] {
        guard !name.isEmpty else { return [] }
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM people WHERE lookup = ? ORDER BY id"),
            arguments: [lookup(name).bytes])
        let found = try rows.map(open)
        return found.filter { $0.person.name == name } + found.filter { $0.person.name != name }
    }

    /// nil: not there any more.
    func person(_ id: Int64, _ db: Database) throws -> KnownPerson? {
        try Row.fetchOne(db.cachedStatement(sql: "SELECT * FROM people WHERE id = ?"), arguments: [id]).map(open)
    }

    /// One after another by number. `body` may change whom it is given.
    ///
    /// - Parameter condition: SQL over `people`.
    func forEachPerson(
        where condition: String = "1", arguments: StatementArguments = StatementArguments(), _ db: Database,
        _ body: (KnownPerson) throws -> Void
    ) throws {
        let statement = try db.makeStatement(
            sql: """
                SELECT \(Self.recordColumns) FROM people WHERE id > ? AND \(condition)
                ORDER BY id LIMIT \(Self.peopleAtOnce)
                """)
        var last = Int64.min
        while true {
            let rows = try Row.fetchAll(statement, arguments: StatementArguments([last]) + arguments)
            for row in rows {
                let known = try open(row)
                last = known.id
                try body(known)
            }
            if rows.count < Self.peopleAtOnce { return }
        }
    }

    private static let peopleAtOnce = 256
    /// What a pass over everybody reads.
    static let recordColumns = "id, lookup, slot, key, shard, record"

    /// Whose record does not open is set aside by the next `setDamagedPeopleAside`.
    ///
    /// - Throws: `LedgerError.corrupt`, which names the person by hash, for a record that does not open.
    func open(_ row: Row) throws -> KnownPerson {
        do {
            return try opened(row)
        } catch let error as LedgerError {
            if case .corrupt = error, let id = try? row.value("id", in: "people") as Int64,
                !damagedPeople.contains(id)
            {
                damagedPeople.append(id)
            }
            throw error
        }
    }

    private func opened(_ row: Row) throws -> KnownPerson {
        let lookupBytes: Data = try row.value("lookup", in: "people")
        guard let lookup = PersonLookup(lookupBytes) else {
            throw LedgerError.corrupt(table: "people", column: "lookup", reason: "is no keyed hash")
        }
        let reference = try KeyReference(row: row, in: "people")
        guard let key = try livingKey(reference) else {
            throw LedgerError.corrupt(
                table: "people", column: "key", reason: "of \(lookupBytes.hexadecimal) is lost; so is the record")
        }
        let record: Data = try row.value("record", in: "people")
        guard let bytes = try? SealedBytes.open(record, key: key, context: SymmetricKey.recordContext) else {
            throw LedgerError.corrupt(
                table: "people", column: "record", reason: "of \(lookupBytes.hexadecimal) is damaged")
        }
        return KnownPerson(
            id: try row.value("id", in: "people"), lookup: lookup, reference: reference, key: key,
            shard: try row.optional("shard", in: "people"), person: try Person(decoding: bytes),
            sealedSummary: row.hasColumn("summary") ? try row.optional("summary", in: "people") : nil)
    }
}
