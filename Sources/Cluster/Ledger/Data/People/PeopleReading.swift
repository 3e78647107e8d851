import Foundation
import GRDB
import Messages
import Recommendation

/// Told whose record is another one now, while it goes through everybody's.
protocol PeopleWatching: AnyObject {
    func note(_ person: Int64)
    /// Whether it reads what was computed of people's prompts.
    var readsValues: Bool { get }
}

/// Everybody's records, read a portion at a time while others write: whoever is written after they were read is read again, so
/// that at the end it is as if all had been read at once, at that moment. What was made of people who are gone is dropped.
///
/// Whoever is written again and again is read again once the others are read, and if as many were read again as there are, what is
/// left is read in one go: writes that never pause do not keep it from ending.
package final class PeopleReading<Value>: PeopleWatching {
    /// What prompts depend on beside the records: where it changes, everything is read anew.
    fileprivate struct Basis: Equatable {
        var prompts: Data?
        var names: Int
        var references: ReferenceSample
    }

    fileprivate let make: (KnownPerson, PromptContext, Database) throws -> Value
    /// SQL over `people`.
    fileprivate let condition: String
    let readsValues: Bool
    /// People that are read before the time is looked at.
    fileprivate let atOnce: Int
    fileprivate var values: [Int64: Value] = [:]
    /// `Int64.max`: all were read once.
    fileprivate var position = Int64.min
    fileprivate var again: Set<Int64> = []
    fileprivate var readAgain = 0
    fileprivate var beginnings = 0
    fileprivate var basis: Basis?

    convenience init(_ make: @escaping (KnownPerson, PromptContext) throws -> Value) {
        self.init(where: "1", readsValues: false, atOnce: Self.mostAtOnce) { known, context, _ in
            try make(known, context)
        }
    }

    /// - `condition`: SQL over `people`: whom it reads; whoever is written meanwhile is read whether or not it holds.
    /// - `readsValues`: whoever gets embeddings or margins meanwhile is read again, too.
    /// - `atOnce`: people that are read before the time is looked at, from one to sixteen.
    init(
        where condition: String, readsValues: Bool, atOnce: Int,
        _ make: @escaping (KnownPerson, PromptContext, Database) throws -> Value
    ) {
        (self.condition, self.readsValues, self.make) = (condition, readsValues, make)
        self.atOnce = max(1, min(atOnce, Self.mostAtOnce))
    }

    private static var mostAtOnce: Int { 16 }

    func note(_ person: Int64) {
        // Whoever follows is read anyway.
        if person <= position { again.insert(person) }
    }

    fileprivate func begin(on basis: Basis) {
        (values, position, again, readAgain, self.basis) = ([:], .min, [], 0, basis)
        beginnings += 1
    }

    fileprivate var isThrough: Bool { position == .max }

    /// Others have waited for portions of it for long enough.
    fileprivate var isOverdue: Bool { readAgain > values.count || beginnings > Self.mostBeginnings }

    private static var mostBeginnings: Int { 5 }
}

extension Ledger {
    /// A portion of it: acknowledgements wait for it, some milliseconds. To be called until it is done or fails.
    ///
    /// - Returns: what was made of everybody, by number of the person; nil: it goes on. Empty before the first import.
    package func goOn<Value>(
        with reading: PeopleReading<Value>, for span: Duration = .milliseconds(5)
    ) throws -> [Value]? {
        do {
            let found = try read { try goOn(with: reading, until: ContinuousClock.now + span, $0) }
            if found != nil { peopleReadings.removeAll { $0 === reading } }
            return found
        } catch {
            peopleReadings.removeAll { $0 === reading }
            throw error
        }
    }

    private func goOn<Value>(
        with reading: PeopleReading<Value>, until end: ContinuousClock.Instant, _ db: Database
    ) throws -> [Value]? {
        guard let context = try promptContext(db) else { return [] }
        let basis = PeopleReading<Value>.Basis(
            prompts: try Meta.promptConfiguration.text(db), names: namesRevision, references: context.references)
        if reading.basis != basis {
            reading.begin(on: basis)
            if !peopleReadings.contains(where: { $0 === reading }) { peopleReadings.append(reading) }
        }
        let next = try db.cachedStatement(
            sql: """
                SELECT \(Self.recordColumns) FROM people WHERE id > ? AND \(reading.condition)
                ORDER BY id LIMIT \(reading.atOnce)
                """)
        repeat {
            if reading.isThrough {
                guard let id = reading.again.popFirst() else { break }
                reading.values[id] = try person(id, db).map { try reading.make($0, context, db) }
                reading.readAgain += 1
            } else {
                let rows = try Row.fetchAll(next, arguments: [reading.position])
                for row in rows {
                    let known = try open(row)
                    reading.values[known.id] = try reading.make(known, context, db)
                    reading.position = known.id
                }
                if rows.count < reading.atOnce { reading.position = .max }
            }
        } while ContinuousClock.now < end || reading.isOverdue
        guard reading.isThrough, reading.again.isEmpty else { return nil }
        return reading.values.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Embeddings or margins of the person's prompts came or went.
    func noteValues(of person: Int64) {
        for reading in peopleReadings where reading.readsValues { reading.note(person) }
    }

    /// The person's record is another one now, or gone.
    func noteChange(of person: Int64) {
        peopleRevision += 1
        for reading in peopleReadings { reading.note(person) }
    }
}
