import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: import")
struct LedgerImportTests {
    @Test("Importing the same file again changes nothing")
    func idempotent() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 1)
        let ledger = try fixture.trained(data)
        let first = try ledger.snapshot()
        let again = try fixture.load(data, into: ledger, id: "again")
        #expect(again == ImportOutcome(rowsAlreadyThere: data.interactions.count))
        #expect(try ledger.snapshot() == first)
        #expect(first.trainingPrompts > 50 && first.validationPrompts > 5 && first.isTuned)
    }

    @Test("Prompts and their lineage are those that the prompt builder makes of each user's rows")
    func promptsFollowFromRows() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 2)
        let ledger = try fixture.open()
        let outcome = try fixture.load(data, into: ledger)
        let titles = Dictionary(uniqueKeysWithValues: data.items.map { ($0.id, $0.title) })
        let builder = try PromptBuilder(configuration: fixture.prompts)
        let expected = Set(data.interactions.map(\.user)).flatMap { user in
            builder.prompts(user: user, interactions: data.interactions, titles: { titles[$0] })
        }
        let stored = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        #expect(Set(stored.map(\.prompt)) == Set(expected))
        #expect(stored.count == expected.count && outcome.promptsAdded == expected.count)
        #expect(stored.allSatisfy { $0.digest == $0.sample.digest })
        #expect(stored.allSatisfy { ($0.shard != nil) == ($0.prompt.split == .train) })
    }

    @Test("A repeated batch is ignored")
    func repeatedBatch() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 3, seed: 3)
        let ledger = try fixture.open()
        for _ in 0..<3 {
            try ledger.stage(
                importID: "a", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        }
        let outcome = try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        #expect(outcome.rowsNew == data.interactions.count && outcome.rowsAlreadyThere == 0)
        #expect(try ledger.statistics().interactions == data.interactions.count)
    }

    @Test("An import with missing batches is refused and names them; it can be completed afterwards")
    func missingBatch() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 3, seed: 4)
        let ledger = try fixture.open()
        try ledger.stage(importID: "a", sequence: 2, items: [], interactions: data.interactions, at: fixture.now)
        #expect(throws: LedgerError.importIncomplete(id: "a", expected: 3, missing: [0, 1])) {
            try ledger.finishImport(importID: "a", batches: 3, prompts: fixture.prompts, at: fixture.now)
        }
        try ledger.stage(importID: "a", sequence: 0, items: data.items, interactions: [], at: fixture.now)
        try ledger.stage(importID: "a", sequence: 1, items: [], interactions: [], at: fixture.now)
        let outcome = try ledger.finishImport(importID: "a", batches: 3, prompts: fixture.prompts, at: fixture.now)
        #expect(outcome.rowsNew == data.interactions.count)
        #expect(throws: LedgerError.unknownImport(id: "a")) {
            try ledger.finishImport(importID: "a", batches: 3, prompts: fixture.prompts, at: fixture.now)
        }
    }

    @Test("New rows of one user rebuild that user's prompts and change only the shard they are in")
    func newRows() throws {
        let fixture = LedgerFixture()
        var data = SyntheticRatings(users: 12, seed: 5)
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let user = data.interactions[0].user
        let rated = Set(data.interactions.filter { $0.user == user }.map(\.item))
        let item = try #require(data.items.first { !rated.contains($0.id) })
        data.interactions.append(Interaction(user: user, item: item.id, timestamp: -5, rating: 5, ordinal: 9_999))
        let outcome = try fixture.load(data, into: ledger, id: "more")
        #expect(outcome.rowsNew == 1 && outcome.promptsAdded == 1 && outcome.shardsChanged.count == 1)
        let after = try ledger.snapshot()
        for (old, new) in zip(before.shards, after.shards) {
            #expect((old.manifest != new.manifest) == (outcome.shardsChanged == [old.index]))
            #expect(new.adapter == old.adapter || outcome.shardsChanged == [old.index])
            #expect(new.isCurrent == (old.manifest == new.manifest))
        }
    }

    @Test("Another title of an item rebuilds exactly the prompts that show it")
    func newTitle() throws {
        let fixture = LedgerFixture()
        var data = SyntheticRatings(users: 12, seed: 6)
        let ledger = try fixture.trained(data)
        let before = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        data.items[0].title = "Quite Another (2001)"
        let outcome = try fixture.load(data, into: ledger, id: "titles")
        let showing = before.filter { stored in
            ([stored.prompt.target] + stored.prompt.history).contains { $0.item == data.items[0].id }
        }
        #expect(!showing.isEmpty && outcome.promptsRebuilt == showing.count && outcome.itemsChanged == 1)
        #expect(outcome.promptsAdded == 0 && outcome.promptsRemoved == 0 && outcome.rowsNew == 0)
    }

    @Test("Another prompt configuration rebuilds the prompts of all users")
    func newConfiguration() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 7)
        let ledger = try fixture.trained(data)
        fixture.prompts.historyLength = 5
        try fixture.load(data, into: ledger, id: "longer", changePrompts: true)
        let other = LedgerFixture(prompts: fixture.prompts)
        let fresh = try other.open()
        try other.load(data, into: fresh)
        for split in Split.allCases { #expect(try ledger.prompts(split: split) == fresh.prompts(split: split)) }
        #expect(try ledger.snapshot().shards.map(\.manifest) == fresh.snapshot().shards.map(\.manifest))
    }

    @Test("Under tallrec all splits are the benchmark's, in its order")
    func benchmarkOrder() throws {
        let fixture = LedgerFixture(prompts: PromptConfiguration(method: .tallrec, historyLength: 4))
        let data = SyntheticRatings(users: 15, seed: 8)
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        var users: [String] = []
        for row in data.interactions where !users.contains(row.user) { users.append(row.user) }
        let targets = TallrecSplit.assign(usersInFileOrder: users, configuration: fixture.prompts) { user in
            data.interactions.filter { $0.user == user }
        }
        #expect(targets.count > 50)
        for split in Split.allCases {
            let wanted = targets.filter { $0.split == split }.map(\.key)
            #expect(try ledger.prompts(split: split).map(\.prompt.target) == wanted)
        }
        #expect(try fixture.load(data, into: ledger, id: "again").shardsChanged.isEmpty)
    }

    @Test("An item without title is no part of prompts until an import brings the title")
    func missingTitle() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 6, seed: 9)
        var untitled = data
        untitled.items.removeFirst(10)
        let ledger = try fixture.open()
        try fixture.load(untitled, into: ledger)
        #expect(try ledger.title(item: "m0") == nil)
        try fixture.load(data, into: ledger, id: "titles")
        let other = LedgerFixture()
        let fresh = try other.open()
        try other.load(data, into: fresh)
        for split in Split.allCases { #expect(try ledger.prompts(split: split) == fresh.prompts(split: split)) }
    }

    @Test("Rows that cannot be kept are refused with the reason, and nothing of their batch is kept")
    func invalidRow() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        for row in [
            Interaction(user: "", item: "a", timestamp: 0, rating: 1, ordinal: 0),
            Interaction(user: "a", item: "", timestamp: 0, rating: 1, ordinal: 0),
            Interaction(user: "a", item: "a", timestamp: 0, rating: .nan, ordinal: 0),
        ] {
            #expect(throws: LedgerError.self) {
                try ledger.stage(importID: "a", sequence: 0, items: [], interactions: [row], at: fixture.now)
            }
        }
        #expect(throws: LedgerError.unknownImport(id: "a")) {
            try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
    }

    @Test("Staged batches survive a restart; those that nobody continued for long are dropped")
    func staging() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 3, seed: 10)
        var ledger = try fixture.open()
        try ledger.stage(importID: "new", sequence: 0, items: data.items, interactions: [], at: fixture.now)
        try ledger.stage(
            importID: "old", sequence: 0, items: data.items, interactions: [],
            at: fixture.now.addingTimeInterval(-2 * 24 * 3600))
        try ledger.close()
        ledger = try fixture.open()
        try ledger.stage(importID: "new", sequence: 1, items: [], interactions: data.interactions, at: fixture.now)
        let outcome = try ledger.finishImport(importID: "new", batches: 2, prompts: fixture.prompts, at: fixture.now)
        #expect(outcome.rowsNew == data.interactions.count && outcome.itemsChanged == data.items.count)
        #expect(throws: LedgerError.unknownImport(id: "old")) {
            try ledger.finishImport(importID: "old", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
    }

    @Test("Differently composed spellings of an identifier are one user")
    func composition() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let rows = ["Andr\u{E9}", "Andre\u{301}"].map {
            Interaction(user: $0, item: "m", timestamp: 1, rating: 4, ordinal: 0)
        }
        try ledger.stage(importID: "a", sequence: 0, items: [], interactions: rows, at: fixture.now)
        let outcome = try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        #expect(outcome.rowsNew == 1 && outcome.rowsAlreadyThere == 1)
        #expect(try ledger.history(user: "Andre\u{301}").count == 1)
        #expect(throws: LedgerError.unknownUser("nobody")) { try ledger.history(user: "nobody") }
    }
}
