import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: templates and what prompts show of items")
struct LedgerWordsTests {
    private static let wording = {
        var wording = PromptWording.tallrec
        wording.history = "Gefiel: {liked}\nGefiel nicht: {disliked}"
        wording.question = "Gefällt die {noun} {target}?"
        wording.instruction = "Gefällt die {noun}? Ja oder Nein."
        wording.item = "{title}[ ({colour})]"
        (wording.yes, wording.no) = (" Ja", " Nein")
        return wording
    }()

    private func configuration(_ wording: PromptWording? = Self.wording) throws -> PromptConfiguration {
        PromptConfiguration(domain: try PromptNoun(parsing: "Lampe"), historyLength: 4, template: wording)
    }

    private var data: SyntheticRatings {
        var data = SyntheticRatings(users: 14, seed: 23)
        for index in data.items.indices where index % 2 == 0 {
            data.items[index].fields = ["colour": "rot", "price": "9"]
        }
        return data
    }

    private func manifests(_ ledger: Ledger) throws -> [String] {
        try ledger.snapshot().shards.map { try ledger.manifest(shard: $0.index).digest }
    }

    private func inputs(_ ledger: Ledger) throws -> [String: String] {
        let prompts = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        return Dictionary(prompts.map { ($0.id, $0.prompt.input) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("After a forget, manifests are those of a fresh cluster with the same template and the retained data")
    func exact() throws {
        let (data, fixture) = (data, LedgerFixture(prompts: try configuration()))
        let ledger = try fixture.trained(data)
        #expect(try inputs(ledger).values.contains { $0.contains("(rot)") })
        let gone = data.interactions.filter { $0.user == "u3" }.prefix(2).map(\.key)
        _ = try ledger.forget(requestID: "f1", LedgerFixture.forget(users: ["u5"]), at: fixture.now)
        for (number, key) in gone.enumerated() {
            _ = try ledger.forget(requestID: "g\(number)", LedgerFixture.forget(key), at: fixture.now)
        }
        let fresh = LedgerFixture(prompts: try configuration())
        let other = try fresh.open()
        try fresh.load(data.without(users: ["u5"], interactions: Set(gone)), into: other)
        #expect(try manifests(ledger) == manifests(other))
        #expect(try inputs(ledger) == inputs(other))
        let plain = LedgerFixture(prompts: try configuration(nil))
        let without = try plain.open()
        try plain.load(data, into: without)
        #expect(try Set(manifests(ledger)).isDisjoint(with: manifests(without)))
    }

    @Test(
        "A changed field corrects the prompts that show it, as a changed title does; others and absent ones change nothing"
    )
    func fields() throws {
        let (data, fixture) = (data, LedgerFixture(prompts: try configuration()))
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let before = try inputs(ledger)
        func bring(_ id: String, _ item: Item) throws -> ImportOutcome {
            try ledger.stage(importID: id, sequence: 0, items: [item], interactions: [], at: fixture.now)
            return try ledger.finishImport(importID: id, batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
        var item = data.items[0]
        item.fields = nil
        #expect(try bring("a", item) == ImportOutcome())
        item.fields = ["price": "10"]
        let unseen = try bring("b", item)
        #expect(unseen.itemsChanged == 1 && unseen.promptsRebuilt == 0)
        #expect(try inputs(ledger) == before)
        item.fields = ["colour": "blau"]
        let changed = try bring("c", item)
        let expected = before.filter { $0.value.contains("\"\(item.title) (rot)\"") }
        #expect(!expected.isEmpty && changed.promptsRebuilt == expected.count)
        let after = try inputs(ledger)
        for (id, input) in expected {
            #expect(after[id] == input.replacingOccurrences(of: "\(item.title) (rot)", with: "\(item.title) (blau)"))
        }
        // Said to be empty it goes, from prompts and catalogue.
        item.fields = ["colour": ""]
        let emptied = try bring("d", item)
        #expect(emptied.promptsRebuilt == expected.count && emptied.itemsChanged == 1)
        let bare = try inputs(ledger)
        for (id, input) in expected {
            #expect(bare[id] == input.replacingOccurrences(of: "\(item.title) (rot)", with: item.title))
        }
        #expect(try bring("e", item) == ImportOutcome())
        #expect(
            try ledger.question(user: "u0", items: [item.id], limit: 10).items.first?.fields == ["price": "10"])
        item.fields = ["colour": "blau"]
        #expect(try bring("f", item).promptsRebuilt == expected.count)
        let reopened = try {
            try ledger.close()
            return try fixture.open()
        }()
        #expect(try inputs(reopened) == after)
        #expect(
            try reopened.question(user: "u0", items: [item.id], limit: 10).items.first?.fields == [
                "colour": "blau", "price": "10",
            ])
    }

    @Test("Another template is refused unless it is asked for, and then all prompts are made anew")
    func change() throws {
        let fixture = LedgerFixture(prompts: try configuration(nil))
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        fixture.prompts = try configuration()
        let error = #expect(throws: LedgerError.self) { try fixture.load(data, into: ledger, id: "more") }
        #expect(error?.description.contains("--template is none in this cluster") == true)
        let outcome = try fixture.load(data, into: ledger, id: "again", changePrompts: true)
        #expect(try outcome.promptsRebuilt == inputs(ledger).count)
        #expect(try ledger.promptConfiguration() == fixture.prompts)
    }

    @Test("A data directory of before there were fields opens, keeps its prompts, and takes fields")
    func older() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let item = try #require(try ledger.items().first)
        #expect(item.fields == nil)
        let before = try inputs(ledger)
        try ledger.stage(
            importID: "f", sequence: 0, items: [Item(id: item.id, title: item.title, fields: ["colour": "rot"])],
            interactions: [], at: older.now)
        let outcome = try ledger.finishImport(
            importID: "f", batches: 1, prompts: PromptConfiguration(historyLength: 4), at: older.now)
        #expect(outcome.itemsChanged == 1 && outcome.promptsRebuilt == 0)
        #expect(try inputs(ledger) == before)
    }
}
