import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

@Suite("Staged imports: what is written comes back")
struct StagedRoundTripTests {
    private let fixture: StagedFixture

    init() throws { fixture = try StagedFixture() }

    private func roundTrip(_ rows: [StagedRow]) throws {
        try fixture.write([StagedFixture.batch(rows)])
        #expect(try fixture.people([0]) == StagedPerson.all([StagedFixture.batch(rows)]))
    }

    @Test("Numbers at their limits and ratings of any kind come back bit by bit")
    func numbers() throws {
        let ratings = [
            0, -0.0, 0.5, 1, 3.7, 99.5, 100, 100.5, -1, -0.5, 1e300, .leastNonzeroMagnitude, 4.5.nextUp, .infinity,
        ]
        let times = [Int64.min, .max, 0, -1, 1, .max, .min]
        let rows = ratings.enumerated().map { index, rating in
            StagedFixture.row(
                "somebody", "film \(index)", timestamp: times[index % times.count], rating: rating,
                ordinal: times[(index + 2) % times.count])
        }
        try roundTrip(rows)
        let read = try #require(try fixture.people([0]).first).rows
        #expect(read.map(\.interaction.rating.bitPattern) == ratings.map(\.bitPattern))
    }

    @Test("Texts come back byte by byte, also where they are equal in other bytes")
    func texts() throws {
        let names = ["", "é", "e\u{301}", "é", "a\0b", String(repeating: "long ", count: 5000), "🎬", "\u{FEFF}x"]
        let lookup = StagedFixture.lookup("x")
        let rows = names.flatMap { user in
            names.map { item in
                var row = StagedFixture.row(user, item)
                row.lookup = lookup
                return row
            }
        }
        let items = names.map { StagedItem(token: $0, title: String($0.reversed())) }
        try fixture.write([StagedFixture.batch(rows, items: items)])
        let read = try #require(try fixture.people([0]).first).rows.map(\.interaction)
        #expect(read.map { Array($0.user.utf8) } == rows.map { Array($0.interaction.user.utf8) })
        #expect(read.map { Array($0.item.utf8) } == rows.map { Array($0.interaction.item.utf8) })
        let back = try fixture.items([0])
        #expect(back.map { Array($0.token.utf8) } == items.map { Array($0.token.utf8) })
        #expect(back.map { Array($0.title.utf8) } == items.map { Array($0.title.utf8) })
    }

    @Test("Batches of many pieces come back, and those that just fill one", arguments: [1, 255, 256, 257, 1024, 5000])
    func pieces(size: Int) throws {
        let batch = StagedFixture.batches(seed: 1, sizes: [size], people: 40)[0]
        let items = (0..<size).map { StagedItem(token: "film \($0)", title: "Film No. \($0)") }
        let refused = (0..<size).map { "name \($0)" }
        try fixture.write([StagedFixture.batch(batch.rows, items: items, refused: refused)])
        #expect(try fixture.people([0]) == StagedPerson.all([batch]))
        #expect(try fixture.items([0]) == items)
        let read = try fixture.imports.refusedItems(
            importID: StagedFixture.importID, batches: [0], key: fixture.key)
        #expect(read == Set(refused))
    }

    @Test("Items and refused names of many batches come in order and together")
    func itemsInOrder() throws {
        let items = (0..<6).map { StagedItem(token: "film \(9 - $0)", title: "Title \($0 % 2)") }
        try fixture.write([
            StagedFixture.batch([], items: Array(items[..<3]), refused: ["a", "b"]),
            StagedFixture.batch([], items: [], refused: []),
            StagedFixture.batch([], items: Array(items[3...]), refused: ["b", "c"]),
        ])
        #expect(try fixture.items(0..<3) == items)
        #expect(try fixture.items([2]) == Array(items[3...]))
        let refused = try fixture.imports.refusedItems(
            importID: StagedFixture.importID, batches: 0..<3, key: fixture.key)
        #expect(refused == ["a", "b", "c"])
    }

    @Test("An empty batch and an import without batches hold nobody and nothing")
    func empty() throws {
        try fixture.write([StagedFixture.batch([])])
        for batches in [[], [0]] {
            #expect(try fixture.people(batches).isEmpty)
            #expect(try fixture.items(batches).isEmpty)
            let (id, key) = (StagedFixture.importID, fixture.key)
            #expect(try fixture.imports.people(importID: id, batches: batches, key: key).isEmpty)
            #expect(try fixture.imports.refusedItems(importID: id, batches: batches, key: key).isEmpty)
            let nobody = StagedFixture.lookup("nobody")
            #expect(try fixture.imports.rows(of: nobody, importID: id, batches: batches, key: key).isEmpty)
        }
    }

    @Test("A batch that is written again replaces the one before")
    func replaced() throws {
        let batches = StagedFixture.batches(seed: 2, sizes: [50, 3], people: 5)
        try fixture.write([batches[0]])
        try fixture.write([batches[1]])
        #expect(try fixture.people([0]) == StagedPerson.all([batches[1]]))
        #expect(try fixture.names.count == 1)
    }

    @Test("An error of whoever takes the rows or items ends the reading and comes out")
    func interrupted() throws {
        struct Enough: Error {}
        let items = [StagedItem(token: "a", title: "A"), StagedItem(token: "b", title: "B")]
        let rows = [StagedFixture.row("x", "a"), StagedFixture.row("y", "a")]
        try fixture.write([StagedFixture.batch(rows, items: items)])
        let (id, key) = (StagedFixture.importID, fixture.key)
        var calls = 0
        #expect(throws: Enough.self) {
            try fixture.imports.forEachPerson(importID: id, batches: [0], key: key) { _, _ in
                calls += 1
                throw Enough()
            }
        }
        #expect(throws: Enough.self) {
            try fixture.imports.forEachItem(importID: id, batches: [0], key: key) { _ in
                calls += 1
                throw Enough()
            }
        }
        #expect(calls == 2)
    }
}
