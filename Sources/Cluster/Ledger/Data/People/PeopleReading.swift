import Foundation
import GRDB
import Messages
import Recommendation

/// Told whose record is another one now, while it goes through everybody's.
protocol PeopleWatching: AnyObject {
    func note(_ person: Int64)
}

/// Everybody's records, read a portion at a time while others write: whoever is written after they were read is read again, so
/// that at the end it is as if all had been read at once, at that moment. What was made of people who are gone is dropped.
package final class PeopleReading<Value>: PeopleWatching {
    /// What prompts depend on beside the records: where it changes, everything is read anew.
    fileprivate struct Basis: Equatable {
        var prompts: Data?
        var names: Int
    }

    fileprivate let make: (KnownPerson, PromptContext) throws -> Value
    fileprivate var values: [Int64: Value] = [:]
    fileprivate var position = Int64.min
    fileprivate var again: Set<Int64> = []
    fileprivate var basis: Basis?

    init(_ make: @escaping (KnownPerson, PromptContext) throws -> Value) { self.make = make }

    func note(_ person: Int64) {
        // Whoever follows is read anyway.
        if person <= position { again.insert(person) }
    }

    fileprivate func begin(on basis: Basis) {
        (values, position, again, self.basis) = ([:], .min, [], basis)
    }
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
        let basis = PeopleReading<Value>.Basis(prompts: try Meta.promptConfiguration.text(db), names: namesRevision)
        if reading.basis != basis {
            reading.begin(on: basis)
            if !peopleReadings.contains(where: { $0 === reading }) { peopleReadings.append(reading) }
        }
        let next = try db.cachedStatement(
            sql: "SELECT \(Self.recordColumns) FROM people WHERE id > ? ORDER BY id LIMIT \(Self.peopleOfStep)")
        repeat {
            if let id = reading.again.popFirst() {
                reading.values[id] = try person(id, db).map { try reading.make($0, context) }
                continue
            }
            let rows = try Row.fetchAll(next, arguments: [reading.position])
            for row in rows {
                let known = try open(row)
                reading.values[known.id] = try reading.make(known, context)
                reading.position = known.id
            }
            if rows.count < Self.peopleOfStep { return reading.values.sorted { $0.key < $1.key }.map(\.value) }
        } while ContinuousClock.now < end
        return nil
    }

    private static let peopleOfStep = 16

    /// The person's record is another one now, or gone.
    func noteChange(of person: Int64) {
        peopleRevision += 1
        for reading in peopleReadings { reading.note(person) }
    }
}
