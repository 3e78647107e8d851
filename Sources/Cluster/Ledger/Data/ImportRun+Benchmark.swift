import GRDB
import Messages
import Recommendation

/// Records that an import merged, until everybody's are.
struct MergedRecords {
    /// Encoded: a tenth of the room.
    private var records: [Int64: [UInt8]] = [:]
    private(set) var newcomers: [[UInt8]] = []

    mutating func add(_ person: Person, _ id: Int64?) {
        if let id { records[id] = person.encoded } else { newcomers.append(person.encoded) }
    }

    /// nil: the import has nothing of this person.
    func person(_ id: Int64) throws -> Person? { try records[id].map { try Person(decoding: $0) } }

    /// Of the people whose records are here, ascending.
    var ids: [Int64] { records.keys.sorted() }
}

extension ImportRun {
    /// The split of every target of the TALLRec benchmark, from all rows that are there.
    func benchmarkSplits(_ records: MergedRecords, _ db: Database) throws -> [InteractionKey: Split] {
        var people: [(appearance: Person.Appearance, name: String, id: Int64?, newcomer: Int)] = []
        try ledger.forEachPerson(db) { known in
            people.append((known.person.appearance, known.person.name, known.id, 0))
        }
        for (index, bytes) in records.newcomers.enumerated() {
            let person = try Person(decoding: bytes)
            people.append((person.appearance, person.name, nil, index))
        }
        people.sort {
            ($0.appearance.import, $0.appearance.ordinal, $0.name)
                < ($1.appearance.import, $1.appearance.ordinal, $1.name)
        }
        let places = Dictionary(people.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let context = rebuilding.new
        let targets = try TallrecSplit.assign(
            usersInFileOrder: people.map(\.name), configuration: context.builder.configuration
        ) { name in
            guard let place = places[name] else { return [] }
            let person =
                if let id = place.id {
                    try records.person(id) ?? ledger.person(id, db)?.person
                } else {
                    try Person(decoding: records.newcomers[place.newcomer])
                }
            guard let person else { return [] }
            return zip(person.interactions, try context.interactions(of: person))
                .filter { context.title(of: $0.0.item) != nil }.map(\.1)
        }
        return Dictionary(targets.map { ($0.key, $0.split) }, uniquingKeysWith: { first, _ in first })
    }

    /// - Parameter targets: nil: they stay as they are.
    func recording(_ targets: [InteractionKey: Split]?, in person: Person) throws -> Person {
        guard let targets else { return person }
        var person = person
        for (index, row) in try rebuilding.new.interactions(of: person).enumerated() {
            person.interactions[index].split = targets[row.key]
        }
        return person
    }
}
