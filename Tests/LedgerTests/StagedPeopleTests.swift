import ClusterTestSupport
import Foundation
import Messages
import Testing

@testable import Ledger

@Suite("Staged imports: person by person")
struct StagedPeopleTests {
    private let fixture: StagedFixture

    init() throws { fixture = try StagedFixture() }

    @Test(
        "However few rows are held at once, people come in order, each once and whole",
        arguments: [Int.min, 0, 1, 2, 3, 7, 50, 1000, 200_000, .max])
    func ranges(rowsAtOnce: Int) throws {
        let batches = StagedFixture.batches(seed: 3, sizes: [40, 0, 1, 90, 40, 300], people: 60)
        try fixture.write(batches)
        #expect(try fixture.people(0..<6, rowsAtOnce: rowsAtOnce) == StagedPerson.all(batches))
        #expect(try fixture.people([0, 3], rowsAtOnce: rowsAtOnce) == StagedPerson.all([batches[0], batches[3]]))
    }

    @Test("People whose rows fill several pieces are not cut", arguments: [1, 500, 1500, 4000])
    func large(rowsAtOnce: Int) throws {
        let batches = StagedFixture.batches(seed: 4, sizes: [3000, 3000], people: 3)
        try fixture.write(batches)
        #expect(try fixture.people(0..<2, rowsAtOnce: rowsAtOnce) == StagedPerson.all(batches))
    }

    @Test("People whose look-ups are not dealt out evenly come in order too", arguments: [1, 3, 10, 100])
    func uneven(rowsAtOnce: Int) throws {
        var random = SeededNumbers(5)
        let lookups =
            (0..<20).map { PersonLookup(high: 5, low: $0) } + (0..<20).map { PersonLookup(high: .max, low: .max - $0) }
            + [PersonLookup(high: 0, low: 0), PersonLookup(high: 1 << 63, low: 0)]
        let batches = (0..<4).map { _ in
            StagedFixture.batch(
                (0..<60).map { _ in
                    var row = StagedFixture.row("x", "film \(Int.random(in: 0..<9, using: &random))")
                    row.lookup = lookups[Int.random(in: 0..<lookups.count, using: &random)]
                    return row
                })
        }
        try fixture.write(batches)
        #expect(try fixture.people(0..<4, rowsAtOnce: rowsAtOnce) == StagedPerson.all(batches))
    }

    @Test("No more rows are held than may be, but for one person's")
    func bounded() throws {
        let batches = StagedFixture.batches(seed: 6, sizes: [Int](repeating: 400, count: 20), people: 900)
        let limit = 100
        let largest = try #require(StagedPerson.all(batches).map(\.rows.count).max())
        let everybody = StagedPeople(
            from: PersonLookup(high: 0, low: 0), to: PersonLookup(high: .max, low: 0), rows: 1, atOnce: limit)
        #expect(everybody.end == nil)
        var gathered = GatheredRows(everybody, limit: limit)
        for batch in batches {
            let rows = StagedPerson.all([batch]).flatMap(\.rows)
            var piece = try StagedRowPiece(StagedRowPiece.bytes(rows))
            try gathered.take(&piece)
            #expect(gathered.count <= limit + largest)
        }
        let end = try #require(gathered.people.end)
        var people: [StagedPerson] = []
        while let (person, rows) = gathered.next() { people.append(StagedPerson(lookup: person, rows: rows)) }
        #expect(!people.isEmpty && people == StagedPerson.all(batches).filter { $0.lookup < end })
    }

    @Test("One person's rows come in the order of batch and position, and nobody else's")
    func onePerson() throws {
        let batches = StagedFixture.batches(seed: 7, sizes: [2000, 1, 700, 2500], people: 30)
        try fixture.write(batches)
        let (id, key) = (StagedFixture.importID, fixture.key)
        for person in StagedPerson.all(batches) {
            #expect(
                try fixture.imports.rows(of: person.lookup, importID: id, batches: 0..<4, key: key) == person.rows)
            #expect(
                try fixture.imports.rows(of: person.lookup, importID: id, batches: [1, 2], key: key)
                    == (batches[1].rows + batches[2].rows).filter { $0.lookup == person.lookup })
        }
        let people = try fixture.imports.people(importID: id, batches: 0..<4, key: key)
        #expect(people == Set(StagedPerson.all(batches).map(\.lookup)))
    }

    @Test("Batches may have any numbers")
    func numbers() throws {
        let batches = StagedFixture.batches(seed: 8, sizes: [5, 5, 5], people: 3)
        let numbers = [0, 17, Int.max]
        for (number, batch) in zip(numbers, batches) {
            try fixture.imports.write(batch, importID: StagedFixture.importID, sequence: number, key: fixture.key)
        }
        #expect(try fixture.people(numbers) == StagedPerson.all(batches))
    }
}
