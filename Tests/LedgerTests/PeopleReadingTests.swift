import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

@Suite("Ledger: everybody's data, read a portion at a time")
struct PeopleReadingTests {
    private let data = SyntheticRatings(users: 60, seed: 101)

    /// Portions of a step each.
    private func read(_ ledger: Ledger, between: (Int) throws -> Void = { _ in }) throws -> ComparisonParts {
        let reading = ComparisonReading()
        var portions = 0
        while true {
            if let parts = try ledger.goOn(with: reading, for: .zero) { return parts }
            try between(portions)
            portions += 1
        }
    }

    private func users(_ parts: ComparisonParts) throws -> [String: Int] {
        let source = try #require(try parts.source())
        return Dictionary(uniqueKeysWithValues: source.people.map { ($0.user, $0.interactions.count) })
    }

    private func expected(_ ledger: Ledger) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for user in 0..<80 {
            guard let history = try? ledger.history(user: "u\(user)") else { continue }
            counts["u\(user)"] = history.count
        }
        return counts
    }

    @Test("It takes several portions, and gives what is there at the end")
    func undisturbed() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        var portions = 0
        let parts = try read(ledger) { portions = $0 + 1 }
        #expect(portions >= 3)
        #expect(try users(parts) == expected(ledger) && parts.basis == ledger.comparisonBasis())
        #expect(ledger.peopleReadings.isEmpty)
    }

    @Test("Whoever is forgotten in between, before or after they were read, is not in it; nor is who left only a part")
    func forgottenBetween() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let one = try #require(data.interactions.first { $0.user == "u9" })
        var next = 0
        let parts = try read(ledger) { portion in
            let request =
                portion == 1 ? LedgerFixture.forget(one.key) : LedgerFixture.forget(users: ["u\(10 + 7 * portion)"])
            guard portion < 4 else { return }
            _ = try ledger.forget(requestID: "f\(next)", request, at: fixture.now)
            next += 1
        }
        #expect(next >= 2)
        let found = try users(parts)
        #expect(try found == expected(ledger) && found["u10"] == nil)
        let source = try #require(try parts.source())
        #expect(source.people.first { $0.user == "u9" }?.interactions.contains { $0.key == one.key } == false)
        let revision = ledger.peopleRevision
        _ = try ledger.forget(requestID: "last", LedgerFixture.forget(users: ["u0"]), at: fixture.now)
        // Whoever made something of it can tell.
        #expect(revision != ledger.peopleRevision)
    }

    @Test("Newcomers are in it, and other titles have everything read anew")
    func importedBetween() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        var more = data
        more.items[3].title = "Another title"
        for (index, item) in more.items.prefix(8).enumerated() {
            more.interactions.append(
                Interaction(
                    user: "u70", item: item.id, timestamp: Int64(index), rating: 4,
                    ordinal: Int64(more.interactions.count)))
        }
        let parts = try read(ledger) { if $0 == 1 { try fixture.load(more, into: ledger, id: "more") } }
        #expect(try users(parts) == expected(ledger))
        let source = try #require(try parts.source())
        #expect(source.titles[more.items[3].id] == "Another title" && source.people.contains { $0.user == "u70" })
    }

    @Test("The manifests of one pass are those of the shards")
    func manifests() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let reading = ledger.manifestsReading()
        var isBegun = false
        var found: [[PlacedEntry]]?
        while found == nil {
            found = try ledger.goOn(with: reading, for: .zero)
            if !isBegun { _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now) }
            isBegun = true
        }
        let entries = try #require(found).joined()
        for shard in 0..<fixture.shards {
            let manifest = ShardManifest(entries: entries.filter { $0.shard == shard }.map(\.entry))
            #expect(try manifest == ledger.manifest(shard: shard))
        }
    }

    @Test("A split and the training prompts of one pass are those that are read at once, in their order")
    func prompts() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        for split in Split.allCases {
            let found = SplitPart.inOrder(try all(ledger.reading(of: split), ledger))
            let expected = try ledger.prompts(split: split)
            #expect(found.map(\.digest) == expected.map(\.digest))
            #expect(found.map(\.label) == expected.map(\.prompt.label))
        }
        let samples = try all(ledger.trainingPromptsReading(), ledger).flatMap(\.self).sorted { $0.id < $1.id }
        #expect(try samples == ledger.allTrainingSamples())
    }

    private func all<Value>(_ reading: PeopleReading<Value>, _ ledger: Ledger) throws -> [Value] {
        while true { if let found = try ledger.goOn(with: reading, for: .zero) { return found } }
    }

    @Test("Where everybody changes after every portion it ends once as many were read again as there are")
    func neverPausing() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let reading = ledger.manifestsReading()
        var portions = 0
        var found: [[PlacedEntry]]?
        while portions < 500 {
            found = try ledger.goOn(with: reading, for: .zero)
            guard found == nil else { break }
            portions += 1
            for person in Int64(0)...60 { ledger.noteChange(of: person) }
        }
        #expect(found?.count == 60 && portions > 60 && portions < 80)
    }

    @Test("Where titles change after every portion it is read in one go in the end")
    func otherTitles() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let reading = ledger.manifestsReading()
        var portions = 0
        var found: [[PlacedEntry]]?
        while portions < 50 {
            found = try ledger.goOn(with: reading, for: .zero)
            guard found == nil else { break }
            portions += 1
            ledger.namesRevision += 1
        }
        #expect(found?.count == 60 && portions == 5)
    }

    @Test("Before the first import there is nothing")
    func empty() throws {
        let ledger = try LedgerFixture().open()
        #expect(try read(ledger).source() == nil)
    }
}
