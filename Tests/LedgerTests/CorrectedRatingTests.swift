import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: another rating of what is there")
struct CorrectedRatingTests {
    @Test("A changed rating replaces the old one, and everything made from it follows")
    func correction() throws {
        let fixture = LedgerFixture()
        var data = SyntheticRatings(users: 12, seed: 51)
        let ledger = try fixture.trained(data)
        let target = try #require(
            try ledger.prompts(split: .train).first { stored in
                stored.prompt.label && stored.shard != nil
            })
        let position = try #require(data.interactions.firstIndex { $0.key == target.prompt.target })
        data.interactions[position].rating = 1
        let old = try ledger.adapters()
        let outcome = try fixture.load(data, into: ledger, id: "again")
        #expect(outcome.rowsCorrected == 1 && outcome.rowsNew == 0)
        #expect(outcome.rowsAlreadyThere == data.interactions.count - 1)
        #expect(outcome.promptsRebuilt >= 1 && outcome.promptsAdded == 0 && outcome.promptsRemoved == 0)
        #expect(outcome.shardsChanged == [target.shard])
        #expect(try ledger.history(user: target.prompt.user).first { $0.key == target.prompt.target }?.rating == 1)

        // The same as a fresh cluster that never saw the old rating.
        let other = LedgerFixture()
        let fresh = try other.open()
        try other.load(data, into: fresh)
        for split in Split.allCases { #expect(try ledger.prompts(split: split) == fresh.prompts(split: split)) }
        #expect(try ledger.snapshot().shards.map(\.likes) == fresh.snapshot().shards.map(\.likes))
        #expect(try ledger.likes() == fresh.likes())

        // The adapter saw the old rating: a forget still leads to it.
        #expect(try ledger.adapters() == old)
        let forgotten = try ledger.forget(
            requestID: "f", LedgerFixture.forget(target.prompt.target), at: fixture.now)
        #expect(target.shard.map(forgotten.waitingFor.contains) == true)
        #expect(try fixture.load(data, into: ledger, id: "third").rowsCorrected == 0)
    }

    @Test("Of several ratings under one key in one import the last counts, and the same file changes nothing more")
    func lastCounts() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        func load(_ id: String) throws -> ImportOutcome {
            let rows = [3.0, 5, 4].enumerated().map {
                Interaction(user: "u", item: "m", timestamp: 0, rating: $1, ordinal: Int64($0))
            }
            try ledger.stage(
                importID: id, sequence: 0, items: [Item(id: "m", title: "M")], interactions: rows, at: fixture.now)
            return try ledger.finishImport(importID: id, batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
        let first = try load("a")
        #expect(first.rowsNew == 1 && first.rowsCorrected == 1 && first.rowsAlreadyThere == 1)
        #expect(try ledger.history(user: "u").map(\.rating) == [4])
        let second = try load("b")
        #expect(second.rowsNew == 0 && second.rowsCorrected == 0 && second.rowsAlreadyThere == 3)
    }

    @Test("An item that one import calls by two titles is refused, and nothing is kept")
    func conflictingTitles() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let items = [Item(id: "m", title: "Film"), Item(id: "m ", title: "I loved it")]
        try ledger.stage(importID: "a", sequence: 0, items: items, interactions: [], at: fixture.now)
        #expect(throws: LedgerError.conflictingTitles(item: "m")) {
            try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
        #expect(try ledger.items().isEmpty)
    }

    @Test("The ledger's doors take identifiers by the same rule as the readers")
    func identifiers() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        func row(_ user: String) -> Interaction {
            Interaction(user: user, item: "m", timestamp: 0, rating: 1, ordinal: 0)
        }
        for user in ["7\u{0}", "a\u{FEFF}b", " "] {
            #expect(throws: LedgerError.self) {
                try ledger.stage(importID: "a", sequence: 0, items: [], interactions: [row(user)], at: fixture.now)
            }
            #expect(throws: LedgerError.self) {
                try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            }
        }
        try ledger.stage(importID: "a", sequence: 0, items: [], interactions: [row("7 ")], at: fixture.now)
        _ = try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        #expect(try ledger.hasUser("7") && ledger.hasUser(" 7") && !ledger.hasUser("7\u{0}1"))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["7"]), at: fixture.now)
        try ledger.stage(importID: "b", sequence: 0, items: [], interactions: [row("7\t")], at: fixture.now)
        #expect(
            try ledger.finishImport(importID: "b", batches: 1, prompts: fixture.prompts, at: fixture.now).rowsRefused
                == 1)
    }
}
